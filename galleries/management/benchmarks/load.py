"""`manage.py bench load`: the real site under many guests, large zips and slow phones; figures with what must hold."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from galleries import images

from . import pictures, stocked
from .crowd import Somebody, Told, download, resumed, slow_phones, together
from .sides import Side, in_turn
from .site import Headers
from .whole_site import WholeSite, whole_site

_GB = 1_000_000_000
# New guests who come at one moment.
_COMING = 40


@dataclass(frozen=True, slots=True)
class Figure:
    """`least` or `most` is what must hold, where something must."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def holds(self) -> bool:
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


@dataclass(frozen=True, slots=True)
class Sizes:
    entries: int = 70_000
    zip_bytes: int = 5 * _GB
    entry_bytes: int = 4_000_000
    # As a preview of a camera's photo has; then as one of a small photo.
    preview_bytes: int = 200_000
    least_bytes: int = 71_000
    rounds: int = 3
    resumptions: int = 20
    photos: int = 5_000
    guests: int = 50
    searchers: int = 20
    ingested: int = 40
    crowd_seconds: float = 30
    burst: int = 400
    phones: int = 20
    new_guests: int = 300
    long_photos: int = 20_000
    sample_seconds: float = 30


QUICK = Sizes(
    entries=2_100,
    zip_bytes=20_000_000,
    preview_bytes=10_000,
    least_bytes=5_000,
    rounds=1,
    resumptions=3,
    photos=30,
    guests=4,
    searchers=2,
    ingested=2,
    crowd_seconds=3,
    burst=60,
    phones=3,
    new_guests=12,
    long_photos=40,
    sample_seconds=1,
)


class Load:
    """Everything below one folder; the site is started once, after its albums are there."""

    def __init__(self, folder: Path, sizes: Sizes, stack: ExitStack) -> None:
        self.folder, self.sizes, self._stack = folder, sizes, stack
        self._us = Side()
        stack.callback(self._us.end)
        self._us.do(stocked.prepare)

    @cached_property
    def selfie(self) -> Path:
        return pictures.selfie(self.folder / "selfie.jpg")

    @cached_property
    def party(self) -> stocked.Party:
        return self._us.do(stocked.party, self.sizes.photos, self.selfie)

    @cached_property
    def small_party(self) -> stocked.Party:
        return self._us.do(stocked.party, 20, self.selfie)

    @cached_property
    def uploader(self) -> Headers:
        return self._us.do(stocked.uploader)

    @cached_property
    def site(self) -> WholeSite:
        # Each searcher here searches as fast as it is answered.
        limits = {"PIXORA_GUESTS_AN_HOUR": str(self.sizes.new_guests), "PIXORA_SEARCHES_A_DAY": "100000"}
        return self._stack.enter_context(whole_site(self.folder / "site.log", **limits))

    def zips(self) -> Iterator[Figure]:
        sizes = self.sizes
        large = self._us.do(stocked.zip_of_zeros, sizes.zip_bytes // sizes.entry_bytes, sizes.entry_bytes)
        yield from self._zip("5gb", large, least=0.8)
        many = self._us.do(stocked.zip_of_zeros, sizes.entries, sizes.preview_bytes)
        yield from self._zip("70k", many, least=0.8)
        # Without a bound: what it costs to open so many files is half of it, and one file is opened once.
        small = self._us.do(stocked.zip_of_zeros, sizes.entries, sizes.least_bytes)
        yield from self._zip("70k_small", small)

    def _zip(self, name: str, asked: stocked.Zip, least: float | None = None) -> Iterator[Figure]:
        port, site = self.site.downloads_port, self.site
        # What a first request loads, every later one has.
        download(port, asked.whole, asked.headers)
        before = site.megabytes("downloads")
        site.forget_peaks("downloads")
        first = download(port, asked.bundle, asked.headers)
        grown = site.megabytes("downloads", "VmHWM") - before
        ours, other = in_turn(
            lambda: download(port, asked.bundle, asked.headers).whole,
            lambda: download(port, asked.whole, asked.headers).whole,
            rounds=self.sizes.rounds,
        )
        yield Figure(f"zip_{name}_bytes", first.length, "bytes", least=asked.size, most=asked.size)
        yield Figure(f"zip_{name}_first_byte", round(first.first_byte, 3), "s", most=1)
        yield Figure(f"zip_{name}_memory", round(grown, 1), "MB more", most=32)
        yield Figure(f"zip_{name}_vs_file", round(other / ours, 3), "of the throughput of one file", least=least)

    def resumption(self) -> Iterator[Figure]:
        asked = self._us.do(stocked.zip_of_noise, min(2_000, self.sizes.entries), 20_000)
        times = self.sizes.resumptions
        whole = resumed(self.site.downloads_port, asked.bundle, asked.headers, asked.size, times)
        yield Figure("zip_resumed_whole", whole, f"of {times}", least=times)

    def slow_clients(self) -> Iterator[Figure]:
        count = self.sizes.phones
        asked = self._us.do(stocked.zip_of_zeros, 500, 4_000_000)
        # The first round only warms up.
        for _ in range(2):
            alone = self._browsed()
        before = self.site.megabytes("downloads")
        self.site.forget_peaks("downloads")
        with slow_phones(count, self.site.downloads_port, asked.bundle, asked.headers):
            time.sleep(1)
            beside = self._browsed()
            grown = self.site.megabytes("downloads", "VmHWM") - before
        alone = min(alone, self._browsed())
        yield Figure("page_alone", round(1000 * alone, 1), "ms, median")
        yield Figure("page_beside_slow_zips", round(1000 * beside, 1), f"ms, median, beside {count} slow zips")
        yield Figure("page_slowed", round(beside / alone, 2), "times", most=1.5)
        yield Figure("slow_zips_memory", round(grown, 1), f"MB more for {count} slow zips", most=64)

    def _browsed(self) -> float:
        """The median of one guest's pages, in seconds."""
        told = Told()
        with self._guest(told) as guest:
            for _ in range(40):
                guest.ask("page", f"/shared/{self.party.album}/")
        return told.quantile("page", 50)

    def _guest(self, told: Told) -> Somebody:
        somebody = Somebody(self.site.port, told)
        answer = somebody.post("enter", f"/api/v1/links/{self.party.link}/unlock/", {"password": ""})
        somebody.headers |= {"Cookie": f"guest={answer['guest_key']}"} if "guest_key" in answer else {}
        return somebody

    def crowd(self) -> Iterator[Figure]:
        """Guests who browse and guests who search, while photos are taken in."""
        looking, searching, ingesting = Told(), Told(), Told()
        end = time.monotonic() + self.sizes.crowd_seconds
        works = [threading.Thread(target=self._browse, args=(looking, end)) for _ in range(self.sizes.guests)]
        waits: dict[str, list[float]] = {"large": [], "small": []}
        for number in range(self.sizes.searchers):
            party, name = (self.small_party, "small") if number == 0 else (self.party, "large")
            works.append(threading.Thread(target=self._search, args=(party, searching, end, waits[name])))
        works.append(threading.Thread(target=self._ingest, args=(ingesting,)))
        together(works)
        for name, told in (("browsing", looking), ("searching", searching), ("ingest", ingesting)):
            yield from _answers(name, told)
        for kind in ("page", "listing", "thumb", "preview"):
            yield Figure(f"{kind}_p50", round(1000 * looking.quantile(kind, 50), 1), "ms")
            yield Figure(f"{kind}_p95", round(1000 * looking.quantile(kind, 95), 1), "ms")
        for name, seconds in waits.items():
            yield Figure(f"searches_of_{name}_album", len(seconds), "done", least=1)
            yield Figure(
                f"search_median_{name}_album", round(sorted(seconds)[len(seconds) // 2], 2) if seconds else 0, "s"
            )
            yield Figure(f"search_longest_{name}_album", round(max(seconds, default=0), 2), "s")
        for program in ("web", "downloads", "ingest", "selfie"):
            yield Figure(
                f"memory_{program}", round(self.site.megabytes(program, "VmHWM"), 1), "MB at most, one process"
            )

    def _browse(self, told: Told, end: float) -> None:
        party = self.party
        with self._guest(told) as guest:
            while time.monotonic() < end:
                guest.ask("page", f"/shared/{party.album}/")
                guest.ask("listing", f"/shared/{party.album}/photos.json")
                for photo in party.photos[:24]:
                    guest.ask("thumb", f"/api/v1/photos/{photo}/thumb")
                guest.ask("preview", f"/api/v1/photos/{party.photos[0]}/preview")
                time.sleep(1)

    def _search(self, party: stocked.Party, told: Told, end: float, waits: list[float]) -> None:
        with Somebody(self.site.port, told) as guest:
            while time.monotonic() < end:
                start = time.monotonic()
                if self._searched(guest, party.link, give_up=end + 60):
                    waits.append(time.monotonic() - start)

    def _searched(self, guest: Somebody, link: str, give_up: float) -> bool:
        """One search until its answer; False where it was not let in."""
        picture, path = [self.selfie.read_bytes()], f"/api/v1/links/{link}/selfies/"
        answer = json.loads(guest.send_files("selfie", path, "selfie", picture, {"consent": "true"}))
        if "url" not in answer:
            time.sleep(1)
            return False
        guest.headers |= {"Pixora-Guest": answer["guest_key"]} if "guest_key" in answer else {}
        state = "queued"
        while state in {"queued", "working"} and time.monotonic() < give_up:
            time.sleep(0.25)
            state = json.loads(guest.ask("status", urlsplit(answer["url"]).path)).get("state", "queued")
        return True

    def _ingest(self, told: Told) -> None:
        address = f"/api/v1/albums/{self.party.album}/photos/"
        with Somebody(self.site.port, told, self.uploader) as sender:
            for path in pictures.make_photos(self.folder, self.sizes.ingested):
                sender.send_files("upload", address, "file", [path.read_bytes()], {})

    def burst(self) -> Iterator[Figure]:
        """More requests at one moment than the threads can ever take up, and more new guests than one address may."""
        told = Told()
        with self._guest(Told()) as guest:
            at_once = [threading.Thread(target=self._look, args=(told, guest.headers)) for _ in range(self.sizes.burst)]
            together(at_once)
        yield from _answers("burst", told)
        yield Figure("burst_longest_wait", round(max(told.seconds["page"]), 2), "s", most=30)
        told = Told()
        for _ in range(self.sizes.new_guests // _COMING + 1):
            together([threading.Thread(target=self._look, args=(told, None)) for _ in range(_COMING)])
        yield from _answers("new_guests", told)

    def _look(self, told: Told, headers: Headers | None) -> None:
        """A page as the guest with these headers, or nothing but the arrival of a new one."""
        if headers is None:
            with self._guest(told):
                return
        with Somebody(self.site.port, told, headers) as somebody:
            somebody.ask("page", f"/shared/{self.party.album}/")

    def long(self) -> Iterator[Figure]:
        """Thousands of small photos, one after the other; what the workers hold must not grow with them."""
        told, samples, begun = Told(), [], time.monotonic()
        with Somebody(self.site.port, told, self.uploader) as sender:
            album = json.loads(sender.ask("album", "/api/v1/albums/", "POST", _NEW_ALBUM, **_JSON))["id"]
            sending = threading.Thread(target=self._send_small, args=(sender, album))
            sending.start()
            for photos in self._progress(album):
                ingest, web = self.site.megabytes("ingest"), round(self.site.megabytes("web"), 1)
                samples.append((photos, ingest, self.site.descriptors("ingest"), web))
            sending.join()
        yield from _answers("long_upload", told)
        yield Figure("long_pace", round(samples[-1][0] / (time.monotonic() - begun), 1), "photos a second")
        for photos, memory, descriptors, web in samples:
            yield Figure(f"long_at_{photos}", round(memory, 1), f"MB ingest, {descriptors} descriptors, {web} MB web")
        warm, last = samples[len(samples) // 4], samples[-1]
        yield Figure("long_memory_growth", round(last[1] - warm[1], 1), "MB in the last three quarters", most=32)
        yield Figure("long_descriptor_growth", last[2] - warm[2], "in the last three quarters", most=8)

    def _progress(self, album: str) -> Iterator[int]:
        """How many photos are done, every now and then until all are."""
        done = 0
        with Somebody(self.site.port, Told(), self.uploader) as watcher:
            while done < self.sizes.long_photos:
                time.sleep(self.sizes.sample_seconds)
                progress = json.loads(watcher.ask("progress", f"/api/v1/albums/{album}/progress/"))
                done = progress["ready"] + progress["rejected"] + progress["quarantined"]
                yield done

    def _send_small(self, sender: Somebody, album: str) -> None:
        tile = images.decode(self.selfie, 200).pixels
        for start in range(0, self.sizes.long_photos, 20):
            # Alike but for a corner, so that none is a duplicate.
            files = []
            for number in range(start, min(start + 20, self.sizes.long_photos)):
                picture = tile.copy()
                picture[:8, :8] = [number % 256, number // 256 % 256, 99]
                files.append(images.encode(picture) + number.to_bytes(4))
            sender.send_files("upload", f"/api/v1/albums/{album}/photos/", "file", files, {})


_JSON = {"Content-Type": "application/json"}
_BASIS = {"basis": "explicit_consent", "attested": True}
_NEW_ALBUM = json.dumps({"title": "Long", "face_search": True, "legal_basis": _BASIS}).encode()


def _answers(name: str, told: Told) -> Iterator[Figure]:
    yield Figure(f"{name}_2xx", told.count(2), "answers", least=1)
    yield Figure(f"{name}_429", told.statuses[429], "answers")
    yield Figure(f"{name}_429_without_retry_after", told.without_retry_after, "answers", most=0)
    yield Figure(f"{name}_5xx", told.count(5), "answers", most=0)


PARTS: dict[str, Callable[[Load], Iterator[Figure]]] = {
    "zips": Load.zips,
    "resumption": Load.resumption,
    "slow_clients": Load.slow_clients,
    "crowd": Load.crowd,
    "burst": Load.burst,
    "long": Load.long,
}
