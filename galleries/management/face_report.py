"""The page that `evaluate_faces --report` writes: one HTML file with plots drawn here and the mistakes to look at."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from django.template import Context, Template
from numpy.typing import NDArray

import recognition
from galleries import images

from .commands.match_folder import FolderSearch
from .labelled import Labels, Score, detected, people

PAGE = Path(__file__).with_suffix(".html")
# Pictures on one sheet. More make the file large and are not looked at.
MOST_ON_A_SHEET = 60
# Room around a face, in sides of its box.
AROUND = 0.35
# Edges of the plots' area in units of the SVG, whose size is 640 x 360.
LEFT, RIGHT, TOP, BOTTOM = 52.0, 624.0, 16.0, 312.0


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high` at places from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        return [(self.at(value), f"{value:.3g}") for value in np.linspace(self.low, self.high, count)]


@dataclass(frozen=True, slots=True)
class Mistake:
    """`selfie` and `face` are data URIs; `face` is empty where the detector found none."""

    guest: str
    photo: str
    words: str
    selfie: str
    face: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """A photo as one guest's search sees it, and whether the guest is in it.

    `distance` is that of the nearest face, infinite if there is none; `nearer`, by how much it is nearer than a sure
    hit had to be. `face` is the guest's own where it was found, else the nearest one of a photo the guest is not in.
    """

    guest: str
    stem: str
    photo: str
    face: recognition.Face | None
    distance: float
    nearer: float
    wanted: bool
    tier: str


def page(folder: Path, labels: Labels, searched: FolderSearch, scores: dict[str, Score]) -> str:
    """Give the page for a labelled album in `folder` that was searched."""
    names = people(searched, labels)
    ranked = [each for guest in labels.selfies for each in _ranking(guest, labels, searched, names)]
    missed = [each for each in ranked if each.wanted and each.tier != "sure"]
    missed = sorted(missed, key=lambda each: each.nearer)
    wrong = [each for each in ranked if not each.wanted and each.tier == "sure"]
    asked = [each for each in ranked if not each.wanted and each.tier == "maybe"]
    doubtful = sorted(asked, key=lambda each: -each.nearer)
    found, labelled = detected(searched.photos, labels)
    cut = _Cutter(folder, searched)
    sheets = [
        ("Missed by the sure tier", "A photo the guest is in. The farthest first.", missed),
        ("Wrong and sure", "A photo the guest is not in, given as surely theirs.", wrong),
        ("Wrong and maybe", "A photo the guest is not in, asked about. The nearest first.", doubtful),
    ]
    values = {
        "engine": recognition.engine(),
        "folder": folder.name,
        "scores": scores,
        "sure": scores["sure"],
        "both": scores["sure and maybe"],
        "detected": found,
        "labelled": labelled,
        "photos": len(searched.photos),
        "faces": len(searched.rows.faces),
        "skipped": searched.skipped,
        "curve": _curve(ranked, scores),
        "histogram": _histogram(labels, searched, np.array(names)),
        "sizes": _sizes(scores),
        "sheets": [_sheet(title, words, mistakes, cut) for title, words, mistakes in sheets],
    }
    return Template(PAGE.read_text(encoding="utf-8")).render(Context(values))


def _ranking(guest: str, labels: Labels, searched: FolderSearch, names: list[str]) -> Iterator[Ranked]:
    """Yield every photo for one guest; nothing for a guest whose selfie was refused."""
    stem = labels.selfies[guest]
    if stem not in searched.results:
        return
    result, wanted = searched.results[stem], labels.photos_of(guest)
    tiers = {match.photo: match.tier for match in searched.matches[stem]}
    distances = np.linalg.norm(searched.rows.vectors - result.centre, axis=1).tolist()
    first = 0
    for photo, content in searched.photos.items():
        rows = range(first, first + len(content.faces))
        first += len(content.faces)
        distance = min((distances[row] for row in rows), default=float("inf"))
        candidates = [row for row in rows if photo not in wanted or names[row] == guest]
        nearest = min(candidates, key=distances.__getitem__, default=None)
        yield Ranked(
            guest=guest,
            stem=stem,
            photo=photo,
            face=None if nearest is None else searched.rows.faces[nearest],
            distance=distance,
            nearer=result.sure - distance,
            wanted=photo in wanted,
            tier=tiers.get(photo, "no hit"),
        )


def _curve(ranked: list[Ranked], scores: dict[str, Score]) -> dict[str, Any]:
    """Precision over recall, as the limit of the sure tier is moved for all guests alike."""
    x, y = Axis(0.5, 1, LEFT, RIGHT), Axis(0.5, 1, BOTTOM, TOP)
    wanted = sum(score.found + score.missed for score in list(scores.values())[:1])
    hits = np.cumsum([each.wanted for each in sorted(ranked, key=lambda each: -each.nearer)])
    recall, precision = hits / max(1, wanted), hits / np.arange(1, len(hits) + 1)
    shown = np.flatnonzero((recall >= x.low) & (precision >= y.low))
    points = [(x.at(recall[place]), y.at(precision[place])) for place in shown]
    marks = [
        {"x": x.at(score.recall), "y": y.at(score.precision), "title": title, "number": number}
        for number, (title, score) in enumerate(scores.items())
    ]
    return {"line": _joined(points), "marks": marks, "x": x.ticks(6), "y": y.ticks(6)}


def _histogram(labels: Labels, searched: FolderSearch, names: NDArray[np.str_]) -> dict[str, Any]:
    """Distances of the guests' own faces and of other people's to the centres of the searches."""
    own, others, limits = [], [], []
    for guest, stem in labels.selfies.items():
        if result := searched.results.get(stem):
            distances = np.linalg.norm(searched.rows.vectors - result.centre, axis=1)
            own.append(distances[names == guest])
            others.append(distances[names != guest])
            limits.append(result.sure)
    edges = np.linspace(0, 0.9, 61)
    x = Axis(0, 0.9, LEFT, RIGHT)
    shares = [_shares(values, edges) for values in (own, others)]
    y = Axis(0, max(0.01, *(share.max() for share in shares)), BOTTOM, TOP)
    left, right = (x.at(limit) for limit in ((min(limits), max(limits)) if limits else (0, 0)))
    return {
        "own": _steps(shares[0], edges, x, y),
        "others": _steps(shares[1], edges, x, y),
        "limit": left,
        "limit_width": round(max(2.0, right - left), 1),
        "x": x.ticks(10),
    }


def _shares(values: list[NDArray[np.float32]], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(np.concatenate(values) if values else [], edges)
    return np.asarray(counts / max(1, counts.sum()))


def _steps(shares: NDArray[np.float64], edges: NDArray[np.float64], x: Axis, y: Axis) -> str:
    corners = [(x.at(edge), y.at(share)) for share, pair in zip(shares, _pairs(edges), strict=True) for edge in pair]
    return _joined([(LEFT, BOTTOM), *corners, (RIGHT, BOTTOM)])


def _pairs(edges: NDArray[np.float64]) -> Iterable[tuple[float, float]]:
    return zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)


def _sizes(scores: dict[str, Score]) -> dict[str, Any]:
    """Recall of both tiers for each size of labelled square."""
    sure, both = scores["sure"], scores["sure and maybe"]
    sizes, y = sorted(sure.wanted_by_size), Axis(0, 1, BOTTOM, TOP)
    step = (RIGHT - LEFT) / max(1, len(sizes))
    bars = []
    for place, size in enumerate(sizes):
        count = sure.wanted_by_size[size]
        shares = [score.found_by_size[size] / count for score in (sure, both)]
        tops = [y.at(share) for share in shares]
        left = LEFT + place * step
        bars.append(
            {
                "x": [round(left + step * part, 1) for part in (0.14, 0.52, 0.5)],
                "width": round(step * 0.34, 1),
                "tops": tops,
                "heights": [round(BOTTOM - top, 1) for top in tops],
                "shares": shares,
                "size": size,
                "count": count,
            }
        )
    return {"bars": bars, "y": y.ticks(6)}


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _sheet(title: str, words: str, mistakes: list[Ranked], cut: "_Cutter") -> dict[str, Any]:
    shown = [cut.mistake(each) for each in mistakes[:MOST_ON_A_SHEET]]
    return {"title": title, "words": words, "count": len(mistakes), "shown": shown}


class _Cutter:
    """Cuts faces out of the album's photos and selfies, as data URIs."""

    def __init__(self, folder: Path, searched: FolderSearch) -> None:
        self.photos, self.selfies = folder / "photos", searched.selfies
        self.selfie_paths = {path.stem: path for path in sorted((folder / "selfies").iterdir(), reverse=True)}
        # The next mistake is often in the same photo; a photo takes 10 MB, so only a few are kept.
        self.pixels = lru_cache(maxsize=8)(lambda path: images.decode(path, images.DECODE_EDGE).pixels)

    def mistake(self, ranked: Ranked) -> Mistake:
        limit = ranked.distance + ranked.nearer
        return Mistake(
            guest=ranked.guest,
            photo=ranked.photo,
            words=f"{ranked.tier}, {ranked.distance:.3f} (sure below {limit:.3f})" if ranked.face else "not detected",
            selfie=self._face(self.selfie_paths[ranked.stem], self.selfies[ranked.stem].box),
            face=self._face(self.photos / ranked.photo, ranked.face.box) if ranked.face else "",
        )

    def _face(self, path: Path, box: recognition.Box) -> str:
        pixels = self.pixels(path)
        height, width = pixels.shape[:2]
        x, y = (box.x + box.width / 2) * width, (box.y + box.height / 2) * height
        half = (0.5 + AROUND) * max(box.width * width, box.height * height)
        top, bottom, left, right = (max(0, round(edge)) for edge in (y - half, y + half, x - half, x + half))
        encoded = base64.b64encode(images.render(np.ascontiguousarray(pixels[top:bottom, left:right])).thumb)
        return f"data:image/jpeg;base64,{encoded.decode()}"
