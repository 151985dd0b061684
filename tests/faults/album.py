"""A small seeded album, who uploads it and who searches it, and its result as facts that can be compared."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image

from tests import pictures
from tests.faults.machine import Machine
from tests.photographer import Photographer
from tests.running import wait_for

_PATIENCE = 600.0  # seconds; a photo that three workers died of takes three leases
_PAUSE = 0.3  # seconds before what failed is tried once more
_EDGES = (480, 360)
# A face takes longer than all the rest of a photo.
_FACES = (1, 0, 2, 1, 0, 1, 0, 1, 4, 0)
_PLACES = ((10, 20), (130, 150), (250, 30), (350, 190))


def photos(seed: int, count: int) -> dict[str, bytes]:
    """JPEGs by name, each of unique bytes, with 0 to 4 faces in them."""
    chance = np.random.default_rng(seed)
    return {f"{number:05}.jpg": _photo(chance, faces=_FACES[number % len(_FACES)]) for number in range(count)}


def _photo(chance: np.random.Generator, faces: int) -> bytes:
    shade = chance.uniform(0.4, 0.8)
    ground = Image.fromarray((pictures.faceless() * shade).astype(np.uint8)).resize(_EDGES)
    for left, top in _PLACES[:faces]:
        edge = int(chance.integers(100, 121))
        face = Image.fromarray(pictures.portrait()[0:230, 100:330]).resize((edge, edge), Image.Resampling.BICUBIC)
        ground.paste(face, (left + int(chance.integers(8)), top + int(chance.integers(8))))
    picture = np.asarray(ground).copy()
    # Two of a kind would be one photo.
    picture[-8:, -8:] = chance.integers(0, 256, (8, 8, 3), np.uint8)
    return pictures.jpeg(picture)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Uploader:
    """Sends each file until it is acknowledged, whatever happens to the site meanwhile."""

    def __init__(self, machine: Machine, email: str = "olga@example.org", **album: Any) -> None:
        self.photographer = Photographer(machine.site, email)
        self.album = self.photographer.make_album()
        self.acknowledged: set[str] = set()  # by SHA-256
        self.retries = 0

    def send_all(self, files: dict[str, bytes], at_once: int = 1) -> None:
        names = list(files)
        for start in range(0, len(names), at_once):
            self.send({name: files[name] for name in names[start : start + at_once]})

    def send(self, files: dict[str, bytes]) -> None:
        wait_for(lambda: self._sent(files), f"the upload of {', '.join(files)}", _PATIENCE)

    def _sent(self, files: dict[str, bytes]) -> bool:
        address = f"{self.photographer.api}/albums/{self.album}/photos/"
        try:
            answer = self.photographer.session.post(
                address, files=[("file", (name, data)) for name, data in files.items()], timeout=60
            )
        except requests.RequestException:
            answer = None
        if answer is None or answer.status_code in {429, 500, 502, 503, 504, 507}:
            self.retries += 1
            time.sleep(_PAUSE)
            return False
        assert answer.status_code == 201, answer.text
        assert not answer.json()["rejected"], answer.text
        self.acknowledged |= {sha256(data) for data in files.values()}
        return True

    def wait_until_settled(self, machine: Machine, count: int) -> None:
        """Until no photo waits, read from the database, so that it also works while pages do not."""
        waiting = "state IN ('uploaded', 'processing') OR wanted_engine <> ''"
        query = f"SELECT COUNT(*), COALESCE(SUM(CASE WHEN {waiting} THEN 1 ELSE 0 END), 0) FROM galleries_photo"
        wait_for(lambda: machine.database.rows(query) == [(count, 0)], f"{count} settled photos", _PATIENCE)


def search(uploader: Uploader) -> list[tuple[str, str]]:
    """What a new guest finds with a selfie: (name, tier), sorted."""
    address = f"{uploader.photographer.api}/links/{uploader.photographer.link(uploader.album)}/selfies/"
    sent = requests.post(
        address, data={"consent": "true"}, files={"selfie": ("me.jpg", pictures.selfie_jpeg())}, timeout=60
    ).json()
    return found_by(sent["url"], sent["guest_key"])


def found_by(url: str, guest_key: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    page = wait_for(lambda: _done(url, guest_key), "the search", 120)
    while True:
        found += [(photo["name"], photo["tier"]) for photo in page["photos"]]
        if not page.get("next"):
            return sorted(found)
        page = requests.get(page["next"], headers={"Pixora-Guest": guest_key}, timeout=60).json()


def _done(url: str, guest_key: str) -> dict[str, Any] | None:
    try:
        answer = requests.get(url, headers={"Pixora-Guest": guest_key}, timeout=60)
    except requests.RequestException:
        return None
    state = dict(answer.json()) if answer.status_code == 200 else {}
    assert state.get("state") not in {"failed", "expired"}, state
    return state if state.get("state") == "done" else None


@dataclass(frozen=True)
class PhotoFacts:
    """`faces` and `vectors` are in the same order: (n, 4) boxes, (n, dimension)."""

    state: str
    boxes: NDArray[np.float64] = field(repr=False)
    vectors: NDArray[np.float32] = field(repr=False)

    def same_as(self, other: "PhotoFacts") -> bool:
        return (
            (self.state, self.boxes.shape, self.vectors.shape) == (other.state, other.boxes.shape, other.vectors.shape)
            and np.allclose(self.boxes, other.boxes, atol=0.002)
            and np.allclose(self.vectors, other.vectors, atol=0.005)
        )


@dataclass(frozen=True)
class Result:
    """What became of an album: its photos by SHA-256, and what a guest finds in it."""

    photos: dict[str, PhotoFacts]
    found: list[tuple[str, str]]

    def differences(self, quiet: "Result") -> list[str]:
        """From the result of a quiet run, in words; empty if there are none."""
        lost = [f"{sha} is lost" for sha in quiet.photos if sha not in self.photos]
        more = [f"{sha} is one too many" for sha in self.photos if sha not in quiet.photos]
        other = [
            f"{sha}: {facts} with {len(facts.boxes)} faces"
            for sha, facts in self.photos.items()
            if sha in quiet.photos and not facts.same_as(quiet.photos[sha])
        ]
        search = [] if self.found == quiet.found else [f"a guest finds {len(self.found)}, not {len(quiet.found)}"]
        return lost + more + other + search

    def faces(self) -> int:
        return sum(len(facts.boxes) for facts in self.photos.values())


def result(machine: Machine, uploader: Uploader) -> Result:
    """Of a site with one album. The database holds that a face and a block of vectors are there once."""
    rows = machine.database.rows
    boxes: dict[Any, list[tuple[float, ...]]] = {}
    for photo, *box in rows("SELECT photo_id, x, y, width, height FROM galleries_face ORDER BY photo_id, ordinal"):
        boxes.setdefault(photo, []).append(tuple(box))
    blocks: dict[Any, bytes] = dict(rows("SELECT photo_id, vectors FROM galleries_embeddingblock"))
    states = {}
    for photo, sha, state in rows("SELECT id, sha256, state FROM galleries_photo"):
        vectors = np.frombuffer(bytes(blocks.get(photo, b"")), "<f4")
        faces = np.array(boxes.get(photo, [])).reshape(-1, 4)
        states[sha] = PhotoFacts(state, faces, vectors.reshape(len(faces), -1) if len(faces) else vectors)
    return Result(states, search(uploader))
