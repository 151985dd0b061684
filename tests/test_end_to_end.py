"""The running site, as `make run` starts it: gunicorn, Redis, Celery workers, downloads; driven from outside."""

import io
import zipfile

import numpy as np
import pytest
import requests

from tests import pictures
from tests.photographer import Photographer
from tests.running import Site, wait_for

pytestmark = pytest.mark.xdist_group("site")


def variants(count: int) -> dict[str, bytes]:
    """Pictures of one face, each a little darker than the one before."""
    return {
        f"{number:03}.jpg": pictures.jpeg((pictures.portrait() * (1 - number / (3 * count))).astype(np.uint8))
        for number in range(count)
    }


def test_an_album_a_selfie_a_zip(site: Site) -> None:
    photographer = Photographer(site, "olga@example.org")
    album = photographer.make_album()
    answer = photographer.upload(
        album, variants(6) | {"coffee.jpg": pictures.jpeg(pictures.faceless()), "page.jpg": pictures.html()}
    )
    assert [len(answer[key]) for key in ("accepted", "duplicates", "rejected")] == [7, 0, 1]
    numbers = wait_for(lambda: photographer.finished(album), "the album")
    assert (numbers["received"], numbers["ready"], numbers["rejected"], numbers["faces"]) == (8, 7, 1, 6)
    sent = requests.post(
        f"{photographer.api}/links/{photographer.link(album)}/selfies/",
        data={"consent": "true"},
        files={"selfie": ("me.jpg", pictures.selfie_jpeg())},
    ).json()
    guest = {"Pixora-Guest": sent["guest_key"]}
    found = wait_for(
        lambda: (state := requests.get(sent["url"], headers=guest).json())["state"] == "done" and state, "the search"
    )
    assert {photo["name"] for photo in found["photos"]} == set(variants(6))
    made = requests.post(f"{photographer.api}/selfies/{sent['id']}/archives/", json={}, headers=guest).json()
    for address in (made["url"], f"{site.url}/api/v1/archives/{made['id']}/"):
        whole = requests.get(address, headers=guest)
        assert int(whole.headers["Content-Length"]) == len(whole.content) == made["bytes"]
        with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
            assert archive.testzip() is None
            assert {name: archive.read(name) for name in archive.namelist()} == variants(6)
    half = requests.get(made["url"], headers=guest | {"Range": f"bytes={made['bytes'] // 2}-"})
    assert (half.status_code, half.content) == (206, whole.content[made["bytes"] // 2 :])
    assert requests.get(made["url"]).status_code == 404


def test_the_web_answers_a_page_and_tells_no_secret_in_its_log(site: Site) -> None:
    assert requests.get(site.url).status_code == 200
    photographer = Photographer(site, "lena@example.org")
    token = photographer.link(photographer.make_album())
    assert requests.get(f"{photographer.api}/links/{token}/").status_code == 200
    assert requests.get(f"{site.url}/l/{token}/").status_code == 200
    log = wait_for(lambda: "/l/***" in site.log() and site.log(), "the access log")
    assert token not in log
