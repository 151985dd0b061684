"""The rooms and their arrows (README, Architecture): who may import whom, and what the web process never loads."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from tests.running import environment

ROOT = Path(settings.BASE_DIR)
HEAVY = {"deepface", "tensorflow", "tf_keras", "keras", "dlib", "_dlib_pybind11", "onnx", "onnxruntime", "cv2"}

# What each room may import of the project. A room that is not here may import nothing of it.
ALLOWED: dict[str, set[str]] = {
    "recognition": {"recognition"},
    "galleries.words": set(),
    "galleries.errors": {"galleries.storage", "galleries.words"},
    "galleries.formats": set(),
    "galleries.names": set(),
    "galleries.zip_format": set(),
    "galleries.archives": {"galleries.zip_format"},
    "galleries.colours": set(),
    "galleries.broker": set(),
    "galleries.outside": set(),
    "galleries.stripping": {"galleries.formats"},
    "galleries.metrics": {"galleries.broker"},
    "galleries.logs": set(),
    "galleries.database": {"galleries.metrics"},
    "galleries.storage": {"galleries.metrics"},
    "galleries.apart": {"galleries.formats"},
    "galleries.muted": set(),
    "galleries.images": {"galleries.apart", "galleries.formats", "galleries.muted", "galleries.names"},
    "galleries.models": {"galleries.models", "galleries.storage", "galleries.words", "galleries.logs", "recognition"},
    "galleries.access": {"galleries.models", "galleries.errors"},
    "galleries.flows": {
        "galleries.flows", "galleries.access", "galleries.models", "galleries.images", "galleries.archives",
        "galleries.storage", "galleries.stripping", "galleries.errors", "galleries.metrics", "galleries.database",
        "galleries.broker", "galleries.outside", "galleries.words", "galleries.colours",
        "recognition",
    },
    "galleries.tasks": {"galleries.flows"},
    "galleries.media": {
        "galleries.models", "galleries.images", "galleries.archives", "galleries.storage", "galleries.errors",
        "galleries.metrics", "galleries.stripping",
    },
    "galleries.manual": {"galleries.models", "galleries.flows"},
    "galleries.forms": {"galleries.models", "galleries.errors", "galleries.flows"},
    "galleries.views": {
        "galleries.views", "galleries.access", "galleries.forms", "galleries.flows", "galleries.media",
        "galleries.models", "galleries.errors", "galleries.colours", "galleries.metrics", "galleries.manual",
    },
    "galleries.api": {
        "galleries.api", "galleries.access", "galleries.flows", "galleries.media", "galleries.models",
        "galleries.errors", "galleries.metrics", "galleries.database", "galleries.logs",
    },
    "galleries.admin": {"galleries.access", "galleries.models", "galleries.flows", "galleries.errors"},
    "galleries.uploads": {"galleries.storage"},
    "galleries.middleware": {
        "galleries.access", "galleries.views", "galleries.api", "galleries.errors", "galleries.logs",
        "galleries.flows.deed",
    },
    "galleries.checks": set(),
    "galleries.apps": {"galleries.checks"},
    "galleries.urls": {"galleries.views"},
    "galleries.management": {"galleries", "recognition", "pixora_site"},
    "pixora_site": {
        "pixora_site", "galleries.models", "galleries.logs", "galleries.metrics", "galleries.database", "recognition",
    },
}  # fmt: skip


def modules() -> Iterator[tuple[str, Path]]:
    for top in ("galleries", "recognition", "pixora_site"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if ".migrations" not in name and name not in {"galleries", "pixora_site.urls"}:
                yield name, path


def imports_of(name: str, path: Path) -> Iterator[str]:
    """Full names of what a module imports, wherever in it the import stands; types only needed by mypy included."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str:
    return max((room for room in ALLOWED if name == room or name.startswith(f"{room}.")), key=len, default="")


def test_every_arrow_points_the_way_it_may() -> None:
    wrong = []
    for name, path in modules():
        room = room_of(name)
        assert room, f"{name} is in no known room"
        for imported in imports_of(name, path):
            if imported.split(".")[0] in {"galleries", "recognition", "pixora_site", "tests"}:
                target = room_of(imported)
                allowed = any(imported == each or imported.startswith(f"{each}.") for each in ALLOWED[room])
                if target != room and not allowed:
                    wrong.append(f"{name} -> {imported}")
    assert wrong == []


@pytest.mark.parametrize(
    ("library", "only_in"),
    [
        ("PIL", {"galleries.images"}),
        ("pillow_heif", {"galleries.images"}),
        ("botocore", {"galleries.storage"}),
        ("storages", {"galleries.storage"}),
        *((heavy, {"recognition"}) for heavy in sorted(HEAVY)),
    ],
)
def test_a_library_is_named_only_in_its_room(library: str, only_in: set[str]) -> None:
    users = {name for name, path in modules() for each in imports_of(name, path) if each.split(".")[0] == library}
    assert {room_of(name) for name in users} <= only_in


def test_heavy_libraries_are_imported_inside_functions() -> None:
    for name, path in modules():
        tops = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in tops:
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not HEAVY & {each.split(".")[0] for each in named}, name


def test_the_web_process_loads_no_heavy_library(tmp_path: Path) -> None:
    """Asked of a fresh process that has served a page and an API route."""
    program = f"""
import sys
import pixora_site.wsgi
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client()
for path in ("/", "/api/v1/albums/"):
    print(client.get(path, headers={{"host": "localhost"}}).status_code)
print(sorted({HEAVY!r} & {{name.split(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT, env=environment(tmp_path, PIXORA_DEBUG="1"), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-3:] == ["200", "401", "[]"]


def test_the_top_level_is_as_fixed() -> None:
    fixed = {
        "manage.py", "pixora_site", "galleries", "recognition", "templates", "static", "tests", "requirements.txt",
        "docker-compose.yml", "README.md", "LICENSE",
    }  # fmt: skip
    tools = {"Makefile", "Dockerfile", "pyproject.toml", ".ci", ".gitignore", ".dockerignore", ".npmrc"}
    tools |= {"package.json", "package-lock.json", "nginx.conf", "OPERATING.md"}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    top = {path.split("/")[0] for path in listed}
    assert fixed <= top
    assert {
        name for name in top - fixed - tools if not (name.startswith("requirements-") and name.endswith(".txt"))
    } == set()


def test_files_are_short_enough_to_read() -> None:
    long = {name: lines for name, path in modules() if (lines := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_the_migrations_make_the_models_as_they_are(db: None) -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
