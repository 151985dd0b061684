"""README is held to the code: every setting and every command stands in it, and every picture it shows is there."""

import re
from pathlib import Path

from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
README = (ROOT / "README.md").read_text()
_READERS = (
    "text|secret|flag|choice|whole_number|words|networks|folder|time_zone|public_url|redis_url|database|bucket|email"
)
_READ = re.compile(rf'\b(?:{_READERS}|secret_key)\("([A-Z_]+)"')


def test_every_setting_of_the_environment_stands_in_the_table_and_no_other() -> None:
    sources = [path.read_text() for path in (ROOT / "pixora_site").glob("*.py")]
    read = {name for source in sources for name in _READ.findall(source)}
    table = README.split("## Configure")[1].split("\n\n")[2]
    named = "\n".join(row.split("|")[1] for row in table.splitlines())
    assert set(re.findall(r"`([A-Z_]{4,})`", named)) == read


def test_every_command_of_ours_stands_in_its_table() -> None:
    ours = {name for name, app in get_commands().items() if app in ("galleries", "recognition")}
    assert ours == set(re.findall(r"^\| `manage.py (\w+)", README, re.MULTILINE))


def test_every_picture_is_there_and_small() -> None:
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", README)
    assert pictures
    assert all((ROOT / picture).stat().st_size < 300_000 for picture in pictures)
