"""What a guest's result page shows: counts first, a run of the sure photos, and the photos that need their word."""

from typing import Any

from django.db.models import Count, Sum
from django.http import QueryDict

from galleries import media
from galleries.flows import selfie as selfie_flow
from galleries.models import Match, Photo, Selfie
from galleries.models.selfie import CERTAIN

SURE_A_RUN = 60
_MAYBES = 60
_MOST_SHOWN = 6_000
# In CSS pixels, by the rows of 114 and 208 in the stylesheet (--row). The narrow one is a fifth less, so that a phone
# of three pixels a point gets the thumb: a tenth softer is not seen, the preview would be ten times the bytes.
_NARROW, _WIDE = 0.78 * 114, 208


def result_page(selfie: Selfie, shown: int, judged: Match | None = None) -> dict[str, Any]:
    """The whole result with its first `shown` sure photos."""
    found = selfie_flow.result(selfie)
    sums = found.aggregate(
        all=Count("pk"),
        sure=Count("pk", filter=CERTAIN),
        bytes=Sum("photo__guest_size", filter=CERTAIN, default=0),
        preview_bytes=Sum("photo__preview_size", filter=CERTAIN, default=0),
    )
    context = sure_run(selfie, 0, shown) | searched(selfie, sums["all"])
    return context | {
        "selfie": selfie,
        "judged": judged,
        "maybe": [_tile(match) for match in found.exclude(CERTAIN)[:_MAYBES]],
        "sums": sums,
        "sure_count": sums["sure"],
        "maybe_count": sums["all"] - sums["sure"],
    }


def sure_run(selfie: Selfie, start: int, stop: int) -> dict[str, Any]:
    """A run of the sure photos, and where the next one ends if there is any."""
    matches = list(selfie_flow.result(selfie).filter(CERTAIN)[start : stop + 1])
    return {
        "selfie": selfie,
        "sure": [_tile(match) for match in matches[: stop - start]],
        "shown": stop,
        "next_shown": stop + SURE_A_RUN if len(matches) > stop - start else None,
        "can_download": selfie.link.can_download,
    }


def searched(selfie: Selfie, seen: int) -> dict[str, Any]:
    scanned, total = selfie_flow.progress(selfie)
    return {"scanned": scanned, "total": total, "seen": seen}


def shown_by(said: QueryDict) -> int:
    """How many sure photos the browser has on its page: the last of its runs says it."""
    numbers = [int(each) for each in said.getlist("shown") if each.isdecimal() and len(each) < 6]
    return min(max([SURE_A_RUN, *numbers]), _MOST_SHOWN)


def _tile(match: Match) -> dict[str, Any]:
    photo = match.photo
    thumb, preview = media.rendition_widths(photo)
    return {"match": match, "photo": photo, "thumb": thumb, "preview": preview, "sizes": _sizes(photo)}


def _sizes(photo: Photo) -> str:
    shape = photo.width / max(photo.height, 1)
    return f"(min-width: 48rem) {round(shape * _WIDE)}px, {round(shape * _NARROW)}px"
