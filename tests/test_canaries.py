"""What is in one owner's album never reaches anybody of another's: not in a body, not in a header, not in the log.

Everything in Otto's album has a word, an id or bytes that stand nowhere else. Everybody who has to do with Olga's asks
every route, and all that comes back is looked through. That nothing comes back when they ask for his by its id, is in
tests/test_access.py: there is no telling it from what is missing.
"""

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from galleries import storage
from galleries.models import Archive, Photo
from pixora_site.logs import Json
from tests import routes
from tests.access_table import GROUPS, PERSONAS
from tests.world import LINKS, OLGAS, OTTOS, UNSEEN, Tenant, World

pytestmark = pytest.mark.django_db
OLGAS_PEOPLE = [who for who in PERSONAS if who not in ("other owner", "other guest")]
# Held by whom they were given to: none of Olga's people has any of Otto's.
SECRETS = ("token", "return_token", "mail_token", "guest_key")
_SHORT = 24
_WHO_WRITE = ("nobody", "owner", "viewer", "guest", "locked")
PATTERNS = dict(routes.routes())


def words_of(tenant: Tenant, word: str) -> set[bytes]:
    """All that would tell of the tenant: words, ids in each notation, secrets, sums, and a piece of each file."""
    ids = [value for value in tenant.ids.values() if isinstance(value, UUID)]
    ids += [tenant.owner.albums.values_list("pk", flat=True)[0], tenant.found.selfie.guest_id]
    told = {word, *map(str, ids), *(each.hex for each in ids), *(tenant.ids[name] for name in SECRETS)}
    photo = tenant.photos["ready"]
    told |= {photo.sha256, photo.sha256[:32], tenant.album.logo_key}
    return {each.encode() for each in told} | set(pieces_of(tenant, photo))


def pieces_of(tenant: Tenant, photo: Photo) -> Iterator[bytes]:
    for key in (photo.original_key, photo.preview_key, photo.thumb_key, tenant.album.logo_key):
        middle = storage.size(key) // 2
        yield storage.read_range(key, middle, _SHORT)


def received(world: World, persona: str, method: str, name: str, ids: dict[str, Any]) -> bytes:
    """All of an answer: what it is told by, and what it tells."""
    path = routes.address(name, PATTERNS[name], ids)
    with world.asked(persona, method, path, *routes.body(method, name, ids)) as answer:
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        heads = [f"{key}: {value}" for key, value in answer.items()] + [answer.cookies.output()]
        return "\n".join(heads).encode() + b"\n\n" + body


def found_in(answer: bytes, words: Iterable[bytes]) -> list[bytes]:
    small = answer.lower()
    return [word for word in words if word in answer or word.lower() in small]


@contextmanager
def log_lines() -> Iterator[io.StringIO]:
    """What the site's log says, as a machine would read it."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(Json())
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)


def test_the_words_are_found_where_they_belong(world: World) -> None:
    """Else the others would find nothing, whatever there was."""
    words, otto = words_of(world.otto, OTTOS), world.otto
    met: set[bytes] = set()
    for persona, archive in (("other owner", otto.ids["own_archive_id"]), ("other guest", otto.ids["archive_id"])):
        for method, name, _ in routes.asked():
            if method == "GET":
                answer = received(world, persona, method, name, otto.ids | {"archive_id": archive})
                met |= set(found_in(answer, words))
    # A guest's row and key, a zip's id once it was made, a file's name, and ids without dashes, are told to nobody.
    unheard = [str(otto.found.selfie.guest_id), otto.found.key, otto.album.logo_key]
    unheard += [str(otto.ids[zipped]) for zipped in ("archive_id", "own_archive_id", "editors_archive_id")]
    unheard += [otto.found.selfie.guest_id.hex]
    assert words - met <= {each.encode() for each in [*unheard, *(each.hex for each in _ids(otto))]}


def _ids(tenant: Tenant) -> list[UUID]:
    return [value for value in tenant.ids.values() if isinstance(value, UUID)]


def private_to(world: World, persona: str) -> set[bytes]:
    """What of Olga's own album this guest, or whoever holds the guest's link, is not told."""
    olga, own = world.olga, world.olga.ids | world.own.get(persona, {})
    told = {str(olga.photos[state].pk) for state in UNSEEN}
    told |= {f"{state}-{OLGAS}.jpg" for state in UNSEEN}
    told |= {olga.owner.email, f"Gone {OLGAS}", f"Other {OLGAS}", f"viewer.{OLGAS}", f"colleague.{OLGAS}"}
    told |= {f"{way}.{OLGAS}@example.org" for way in LINKS if way != persona}
    told |= {str(ids[name]) for ids in world.own.values() for name in (*SECRETS, "link_id", "selfie_id")}
    return {each.encode() for each in told - {str(value) for value in own.values()}}


def sweep(world: World, persona: str) -> Iterator[tuple[str, bytes]]:
    """All that somebody receives who asks for what they know of: Olga's, and a guest for their own."""
    ids = world.olga.ids | world.own.get(persona, {})
    for method, name, _ in routes.asked():
        if method == "GET" or persona in _WHO_WRITE:
            yield f"{method} {name}, {persona}", received(world, persona, method, name, ids)


def test_nobody_of_olga_s_receives_anything_of_otto_s_or_of_another_guest_s(world: World) -> None:
    ottos = words_of(world.otto, OTTOS)
    leaks = []
    with log_lines() as lines:
        for persona in OLGAS_PEOPLE:
            is_guest = persona in GROUPS["guests"] or persona == "nobody"
            words = ottos | (private_to(world, persona) if is_guest else set())
            for asked, answer in sweep(world, persona):
                leaks += [f"{asked}: {found!r}" for found in found_in(answer, words)]
    assert not leaks, "\n".join(leaks)
    logged = lines.getvalue().encode()
    secrets = {ids[name].encode() for ids in world.own.values() for name in SECRETS}
    assert b"/l/" in logged
    assert found_in(logged, ottos | secrets | {OLGAS.encode(), b"@example.org"}) == []


def test_photos_that_are_not_to_be_seen_are_in_no_count_and_no_zip_of_a_guest(world: World) -> None:
    """The search found six; three are hidden, in work or set aside since, and one is not the guest."""
    client, ids = world.clients["guest"], world.olga.ids
    told = client.get(f"/api/v1/selfies/{ids['selfie_id']}/").json()
    shown = {str(world.olga.photos[state].pk) for state in ("ready", "maybe")}
    assert {photo["id"] for photo in told["photos"]} == shown
    assert Archive.objects.get(pk=ids["archive_id"]).count == 1
    assert client.get(f"/api/v1/links/{ids['token']}/").json()["photo_count"] == 3
    for state in UNSEEN:
        wanted = {"photos": [str(world.olga.photos[state].pk)]}
        refused = client.post(f"/api/v1/selfies/{ids['selfie_id']}/archives/", wanted, content_type="application/json")
        assert refused.json()["code"] == "nothing_to_download", state
