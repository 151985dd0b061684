"""A client that nobody wrote: made from the API's description, it goes through the main journey."""

import hashlib
import importlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import pictures
from tests.running import Site, wait_for

pytestmark = pytest.mark.xdist_group("site")
# A generator knows types of text by itself; all that is bytes it is told to take for bytes.
BYTES = ["image/jpeg", "image/png", "image/webp", "image/heic", "image/svg+xml", "application/zip", "text/csv"]
CHOICES = {
    "post_hooks": [],
    "package_name_override": "pixora_client",
    "content_type_overrides": dict.fromkeys(BYTES, "application/octet-stream"),
}


class Generated:
    """The generated package."""

    def __init__(self, folder: Path, schema: Any) -> None:
        (folder / "schema.json").write_text(json.dumps(schema))
        (folder / "config.json").write_text(json.dumps(CHOICES))
        done = subprocess.run(
            [sys.executable, "-m", "openapi_python_client", "generate", "--path=schema.json", "--config=config.json",
             "--meta=none", "--output-path=pixora_client", "--fail-on-warning"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        self.models = importlib.import_module("pixora_client.models")
        self.types = importlib.import_module("pixora_client.types")
        self.client = importlib.import_module("pixora_client.client")

    def ask(self, operation: str, *path: Any, client: Any, **fields: Any) -> Any:
        """What the operation answers, as one of the models; "albums.albums_create" by its tag and its name."""
        answer = importlib.import_module(f"pixora_client.api.{operation}").sync_detailed(*path, client=client, **fields)
        assert answer.status_code < 300, answer.content
        return answer.parsed


@pytest.fixture
def generated(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Generated]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Generated(tmp_path, requests.get(f"{site.url}/api/v1/schema/?format=json").json())
    for name in [name for name in sys.modules if name.partition(".")[0] == "pixora_client"]:
        del sys.modules[name]


def test_a_generated_client_goes_from_the_album_to_the_zip(site: Site, generated: Generated) -> None:
    models, ask = generated.models, generated.ask
    secret = generated.client.AuthenticatedClient(
        base_url=site.url, token=site.token("gina@example.org"), prefix="Token", raise_on_unexpected_status=True
    )
    files = {"me.jpg": pictures.jpeg(pictures.portrait()), "coffee.jpg": pictures.jpeg(pictures.faceless())}
    with secret as owner:
        basis = models.LegalBasisRequest(basis=models.BasisEnum.EXPLICIT_CONSENT, attested=True)
        wanted = models.AlbumRequest(title="Summer", face_search=True, legal_basis=basis)
        album = ask("albums.albums_create", client=owner, body=wanted)
        assert (album.title, album.role, album.face_search) == ("Summer", "owner", True)
        upload(generated, owner, album.id, files)
        wait_for(lambda: is_ready(ask("albums.albums_progress_retrieve", album.id, client=owner)), "the album")
        page = ask("albums.albums_photos_list", album.id, client=owner)
        assert {photo.name: photo.face_count for photo in page.results} == {"me.jpg": 1, "coffee.jpg": 0}
        assert ask("photos.photos_thumb_retrieve", page.results[0].id, client=owner).payload.read(2) == b"\xff\xd8"
        link = ask("albums.albums_links_create", album.id, client=owner, body=models.LinkRequest())
    found = search(site, generated, link.token)
    assert [(photo.name, photo.tier) for photo in found] == [("me.jpg", "sure")]


def upload(generated: Generated, owner: Any, album: Any, files: dict[str, bytes]) -> None:
    """All that the album says it lacks, which is all."""
    models = generated.models
    sums = {hashlib.sha256(data).hexdigest(): name for name, data in files.items()}
    asked = [models.CheckedFileRequest(name=name, size=len(files[name]), sha256=sha) for sha, name in sums.items()]
    body = models.PhotoCheckRequest(files=asked)
    checked = generated.ask("albums.albums_photos_check_create", album, client=owner, body=body)
    assert sorted(checked.missing) == sorted(sums)
    sent = [
        generated.types.File(payload=io.BytesIO(files[sums[sha]]), file_name=sums[sha], mime_type="image/jpeg")
        for sha in checked.missing
    ]
    body = models.AlbumsPhotosCreateBody(file=sent, path=[sums[sha] for sha in checked.missing])
    reception = generated.ask("albums.albums_photos_create", album, client=owner, body=body)
    assert len(reception.accepted) == len(files)


def is_ready(progress: Any) -> bool:
    return bool(progress.ready == progress.received == 2)


def search(site: Site, generated: Generated, token: str) -> list[Any]:
    """A guest's photos; their zip holds the same."""
    models, ask = generated.models, generated.ask
    with generated.client.Client(base_url=site.url, raise_on_unexpected_status=True) as nobody:
        assert ask("links.links_open", token, client=nobody).title == "Summer"
        picture = generated.types.File(io.BytesIO(pictures.selfie_jpeg()), "me.jpg", "image/jpeg")
        body = models.SelfieUploadRequest(selfie=picture, consent=True)
        started = ask("links.links_selfies_create", token, client=nobody, body=body)
    headers = {"Pixora-Guest": started.guest_key}
    with generated.client.Client(base_url=site.url, headers=headers, raise_on_unexpected_status=True) as guest:

        def done() -> Any:
            state = ask("selfies.selfies_retrieve", started.id, client=guest)
            return state if state.state == models.SelfieStateEnum.DONE else None

        photos = list(wait_for(done, "the search").photos)
        made = ask("selfies.selfies_archives_create", started.id, client=guest, body=models.NewArchiveRequest())
        archive = ask("archives.archives_retrieve", made.id, client=guest).payload.read()
        assert len(archive) == made.bytes_
        with zipfile.ZipFile(io.BytesIO(archive)) as entries:
            assert entries.namelist() == [photo.name for photo in photos]
            assert entries.testzip() is None
        ask("selfies.selfies_destroy", started.id, client=guest)
    return photos
