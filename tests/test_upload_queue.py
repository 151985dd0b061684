"""The upload's queue without a browser: Node runs it against a server that breaks by chance (upload_queue.mjs)."""

import shutil
import subprocess
from pathlib import Path

from django.conf import settings

from tests.conftest import needs_program


def test_the_queue_loses_nothing_and_its_numbers_add_up(tmp_path: Path) -> None:
    program = needs_program("node")
    root = Path(settings.BASE_DIR)
    shutil.copytree(root / "static" / "js" / "upload", tmp_path / "static" / "js" / "upload")
    (tmp_path / "tests").mkdir()
    shutil.copy(root / "tests" / "upload_queue.mjs", tmp_path / "tests")
    # Older releases of Node take a .js file for a module only where they are told so.
    (tmp_path / "package.json").write_text('{"type": "module"}')
    done = subprocess.run([program, "tests/upload_queue.mjs"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
