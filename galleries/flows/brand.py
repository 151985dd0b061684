"""How an album shows itself to guests: the photographer's name, logo and colour, and what a link preview may tell."""

import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction

from galleries import images, storage
from galleries.errors import Refusal
from galleries.models import Album, Arrival, Erasure
from galleries.models.deed import Verb

from . import deed

LOGO_BYTES = 5_000_000


def change(
    album: Album,
    *,
    logo: Iterable[bytes] | None = None,
    remove_logo: bool = False,
    require: Callable[[], None] = lambda: None,
    **facts: Any,
) -> None:
    """Change these facts of an own album, and no more. Raises Refusal for a logo that is no picture Pixora takes.

    `require` is asked of the locked album, and may refuse the change too.
    """
    if logo is not None:
        # Before the album is locked: a bucket may take its time.
        facts |= _stored(album, _drawn(logo))
    elif remove_logo:
        facts |= {"logo_key": "", "logo_width": 0, "logo_height": 0}
    try:
        _save(album, facts, require)
    except Refusal:
        Arrival.give_up(facts["logo_key"])
        raise


@transaction.atomic
def _save(album: Album, facts: dict[str, Any], require: Callable[[], None]) -> None:
    now = Album.objects.locked().get(pk=album.pk)
    require()
    if "logo_key" in facts:
        Erasure.order([now.logo_key])
    if facts.get("logo_key") and not Arrival.strike_off(facts["logo_key"]):
        raise Refusal("too_late", "This took too long. Send the file once more.", status=503)
    for name, value in facts.items():
        setattr(album, name, value)
    changed = [name for name, value in facts.items() if getattr(now, name) != value]
    album.save(update_fields=list(facts))
    if changed:
        deed.record(Verb.ALBUM_CHANGED, album, fields=sorted(changed))


def _drawn(chunks: Iterable[bytes]) -> images.Logo:
    """Decoded and encoded anew, in a process of its own: nothing of the sent bytes is ever served."""
    try:
        with storage.receive(chunks, limit=LOGO_BYTES) as received:
            return images.logo(received.path)
    except storage.TooLarge as too_large:
        rejected = images.file_too_large(LOGO_BYTES)
        raise Refusal(rejected.code, rejected.detail, status=413) from too_large
    except images.ImageRejected as rejected:
        raise Refusal(rejected.code, rejected.detail) from rejected
    except images.DecoderFault as fault:
        raise Refusal("damaged", "This picture cannot be read. Save it anew, as PNG or JPEG.") from fault


def _stored(album: Album, logo: images.Logo) -> dict[str, Any]:
    key = f"renditions/{album.pk}/logo-{uuid.uuid4().hex}.png"
    Arrival.objects.create(key=key)
    storage.write(key, logo.png)
    return {"logo_key": key, "logo_width": logo.width, "logo_height": logo.height}
