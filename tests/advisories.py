"""Known holes of what the lock file names, by pip-audit, as far as it reaches a list of them.

Ends with 1 where there is a hole, or where nothing could be asked and AUDIT=require is set.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# PyPI's own, and Google's: machines that reach one do not always reach the other.
SERVICES = ("pypi", "osv")


def asked(service: str) -> tuple[list[str], list[str], str]:
    """Holes, packages that were not asked about, and why nothing was answered."""
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off", "--timeout=10"]
    command += [
        "--disable-pip",
        "--no-deps",
        f"--vulnerability-service={service}",
        "--requirement=requirements-lock.txt",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return [], [], (done.stderr.strip().splitlines() or ["no answer"])[-1][-200:]
    return *judged(packages), ""


def judged(packages: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """(holes, packages that nobody knew anything of)."""
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {hole['fix_versions'] or 'no version'}"
        for package in packages
        for hole in package.get("vulns", [])
    ]
    return holes, [str(package["name"]) for package in packages if "skip_reason" in package]


def main() -> int:
    for service in SERVICES:
        holes, unknown, trouble = asked(service)
        if holes:
            print("\n".join(holes))  # noqa: T201 -- a program
            return 1
        if not trouble and not unknown:
            print(f"No known holes, says {service}.")  # noqa: T201
            return 0
        print(f"{service} could not be asked: {trouble or f'{len(unknown)} packages not found'}.")  # noqa: T201
    print("Known holes were NOT looked for.")  # noqa: T201
    return 1 if os.environ.get("AUDIT") == "require" else 0


if __name__ == "__main__":
    sys.exit(main())
