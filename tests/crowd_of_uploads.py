"""A program of test_quotas_crowd.py: one of several processes that take files into the albums of one photographer.

`python -m tests.crowd_of_uploads FIRST LAST ALBUM ...` waits for a line on its standard input, takes in the files of
these numbers, turn by turn into the albums, and says of each what became of it. Then it deletes what it is told to:
`delete` takes out every photo that it has brought in and sends the same files once more, so that places come and go.
"""

import sys
from collections import Counter

import django

django.setup()

from galleries.flows import photo as photo_flow  # noqa: E402
from galleries.models import Album  # noqa: E402
from tests import pictures  # noqa: E402


def file(number: int) -> bytes:
    """Each weighs the same, and is another one."""
    picture = pictures.quadrants(8, 8).copy()
    picture[0, 0] = (number % 256, number // 256, 7)
    return pictures.encoded(pictures.Image.fromarray(picture), "WEBP", lossless=True)


def main(first: str, last: str, *rest: str) -> None:
    albums = list(Album.objects.filter(pk__in=[each for each in rest if each != "delete"]).order_by("pk"))
    print("ready", flush=True)  # noqa: T201 -- what a program says
    sys.stdin.readline()
    said: Counter[str] = Counter()
    for number in range(int(first), int(last)):
        album = albums[number % len(albums)]
        reception = photo_flow.receive(album, f"{number}.webp", "", [file(number)])
        said[reception.photo.code or reception.outcome] += 1
        if "delete" in rest and reception.outcome == photo_flow.Outcome.ACCEPTED:
            photo_flow.delete([reception.photo])
    print(" ".join(f"{name}={count}" for name, count in sorted(said.items())), flush=True)  # noqa: T201 -- what a program says


if __name__ == "__main__":
    main(*sys.argv[1:])
