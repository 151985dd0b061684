"""Every route and method as each persona (tests/access_table.py): what is not in the table fails.

What is foreign and what is missing is the same answer to the byte.
"""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test.client import MULTIPART_CONTENT
from django.urls import reverse

from galleries import access
from galleries.access import Viewer
from galleries.models import Selfie, User
from tests import routes
from tests.access_table import BY_LINK, GROUPS, OWN, PERSONAS, STATES, TABLE, expected
from tests.world import OTTOS, World

# Each test in a transaction of its own, within the world's.
pytestmark = pytest.mark.django_db
PATTERNS = dict(routes.routes())
# None of these looks at what it is asked with, and is the same for all.
_LETS_IN = {"token", "return_token", "mail_token"}


def status(world: World, persona: str, row: str, ids: dict[str, Any]) -> int:
    method, name = row.split()
    path = routes.address(name, PATTERNS[name], ids)
    with world.asked(persona, method, path, *routes.body(method, name, ids)) as answer:
        return int(answer.status_code)


def differences(world: World, row: str, says: str, ids: dict[str, Any]) -> list[str]:
    """In which cases the answers are not those of the row."""
    wanted = expected(says, in_api=" api:" in row)
    # No page looks at a token: one of them asks for all.
    asking = PERSONAS if " api:" in row else [who for who in PERSONAS if who not in GROUPS["tokens"][1:]]
    got = {persona: status(world, persona, row, ids) for persona in asking}
    return [f"{row}, {who}: {got[who]}, not {wanted[who]}" for who in asking if got[who] != wanted[who]]


def test_every_route_and_method_has_its_row() -> None:
    asked = {f"{method} {name}" for method, name, _ in routes.asked()}
    assert asked - TABLE.keys() == set()
    assert TABLE.keys() - asked == set()


def test_the_api_s_description_and_its_routes_name_the_same() -> None:
    undescribed = {(method, path) for method, path in routes.in_resolver() if re.search(r"schema/|docs/|\(", path)}
    assert routes.in_schema() == routes.in_resolver() - undescribed
    assert len(undescribed) == 3


def test_every_persona_gets_what_the_table_says(world: World) -> None:
    wrong = [each for row, says in TABLE.items() for each in differences(world, row, says, world.olga.ids)]
    assert not wrong, "\n".join(wrong)


def test_a_photo_s_state_shuts_out_whom_the_table_says(world: World) -> None:
    wrong = []
    for state, rows in STATES.items():
        ids = world.olga.ids | {"photo_id": world.olga.photos[state].pk}
        wrong += [f"{state}: {each}" for row, says in rows.items() for each in differences(world, row, says, ids)]
    assert not wrong, "\n".join(wrong)


def test_of_a_deleted_album_its_owner_may_have_back_the_whole_and_nobody_anything_else(world: World) -> None:
    """Asked by all who could do most with it; whoever is not signed in is told so, as ever."""
    wrong, ids = [], world.olga.ids | world.deleted
    back = {"POST api:album-restore": 200, "POST album-restore": 302, "POST album-delete-for-good": 200}
    back |= {"DELETE api:album-deleted": 204}
    for row in TABLE:
        if not routes.names_in(PATTERNS[row.split()[1]]) & world.deleted.keys() or "405" in TABLE[row]:
            continue
        # A token that may do anything, but read, is not let in by a link.
        for persona in ("owner", "editor", "guest", *(["manage"] if "shared-link" not in row else [])):
            nobodys = persona == "guest" or (persona == "manage" and " api:" not in row)
            asks_to_sign_in = nobodys and re.search("(401|302) nobody", TABLE[row])
            wanted = int(asks_to_sign_in[1]) if asks_to_sign_in else 404
            if not nobodys and persona != "editor":
                wanted = back.get(row, wanted)
            if (got := status(world, persona, row, ids)) != wanted:
                wrong.append(f"{row}, {persona}: {got}")
    assert not wrong, "\n".join(wrong)
    assert status(world, "read", "POST api:album-restore", ids) == 403


def test_a_guest_has_their_own_as_long_as_their_link_lets_them_in(world: World) -> None:
    got = {who: {row: status(world, who, row, _own_ids(world, who)) for row in rows} for who, rows in OWN.items()}
    assert got == OWN


def _own_ids(world: World, persona: str) -> dict[str, Any]:
    return world.olga.ids | world.own[persona]


def test_a_stranger_gets_by_a_link_what_its_kind_allows(world: World) -> None:
    got = {
        way: {row: status(world, "nobody", row, _own_ids(world, way)) for row in rows} for way, rows in BY_LINK.items()
    }
    assert got == BY_LINK


def test_an_owner_s_zip_is_for_whoever_asked_for_it(world: World) -> None:
    ids = world.olga.ids | {"archive_id": world.olga.ids["own_archive_id"]}
    assert differences(world, "GET api:archive", "404, 200 owner read, 403 upload manage", ids) == []


def test_what_a_class_does_not_implement_is_not_offered(world: World) -> None:
    for name, pattern in PATTERNS.items():
        others = set(routes.METHODS) - set(routes.methods(pattern))
        if hasattr(pattern.callback, "cls") and name != "api:nothing":
            got = {status(world, "owner", f"{method} {name}", world.olga.ids) for method in others}
            assert got <= {405}, name


# Foreign and missing


def told(world: World, persona: str, row: str, ids: dict[str, Any]) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Status, body and headers, without what is asked with and what differs from request to request."""
    method, name = row.split()
    path = routes.address(name, PATTERNS[name], ids)
    with world.asked(persona, method, path, *routes.body(method, name, ids)) as answer:
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        headers = [(key, _blank(value, ids)) for key, value in answer.items() if key != "X-Request-Id"]
        # Its nonce is new each time.
        body = re.sub(rb'(csrfmiddlewaretoken" value|X-CSRFToken\W+)[^>]*', b"", body)
        return answer.status_code, _blank(body.decode("latin-1"), ids).encode("latin-1"), sorted(headers)


def _blank(text: str, ids: dict[str, Any]) -> str:
    for value in ids.values():
        text = text.replace(str(value), "ASKED")
    return text


def test_foreign_and_missing_are_the_same_to_the_byte(world: World) -> None:
    """Asked by one of each kind who has to do with the first album, for what is in the other and what is nowhere."""
    foreign = world.otto.ids
    missing = {key: uuid4() if key.endswith("_id") else f"{value}x" for key, value in foreign.items()}
    different, count = [], 0
    for row in TABLE:
        names = routes.names_in(PATTERNS[row.split()[1]])
        if not names & foreign.keys() or names & _LETS_IN:
            continue
        for persona in (
            "nobody",
            "owner",
            "viewer",
            "stranger",
            "staff",
            "guest",
            "browsing",
            "manage",
            "bound",
            "disabled",
        ):
            count += 1
            answer = told(world, persona, row, foreign)
            if answer != told(world, persona, row, missing) or OTTOS in str(answer):
                different.append(f"{row}, {persona}")
    assert not different, "\n".join(different)
    assert count > 500


NAMED_IN_BODIES = [
    ("POST api:album-archives", {"photos": ["PHOTO"]}),
    ("POST api:selfie-archives", {"photos": ["PHOTO"]}),
    ("POST api:selfie-feedback", {"photo": "PHOTO", "verdict": "me"}),
    ("POST selfie-feedback", {"photo": "PHOTO", "verdict": "me"}),
    ("POST selfie-zip", {"photo": "PHOTO", "size": "original"}),
    ("POST album-zip", {"photo": "PHOTO", "size": "original"}),
    ("POST album-photos-change", {"photo": "PHOTO", "change": "hide"}),
    ("POST album-photos-change", {"photo": "PHOTO", "change": "cover"}),
    ("POST album-photos-delete", {"photo": "PHOTO", "confirmed": "yes"}),
    ("GET photo", {"in": "SELFIE"}),
]


@pytest.mark.parametrize(("row", "sent"), NAMED_IN_BODIES)
def test_what_a_body_names_is_no_way_around(world: World, row: str, sent: dict[str, Any]) -> None:
    """Its own album's address, and in the body a photo of another one, or of none."""
    persona = "guest" if "selfie" in row or row == "GET photo" else "owner"
    answers = [
        _sent(world, persona, row, sent, {"PHOTO": str(photo), "SELFIE": str(selfie)})
        for photo, selfie in ((world.otto.ids["photo_id"], world.otto.ids["selfie_id"]), (uuid4(), uuid4()))
    ]
    assert answers[0] == answers[1]


def _sent(world: World, persona: str, row: str, sent: dict[str, Any], named: dict[str, str]) -> Any:
    method, name = row.split()
    path = routes.address(name, PATTERNS[name], world.olga.ids)
    filled = {
        key: [named[value[0]]] if isinstance(value, list) else named.get(value, value) for key, value in sent.items()
    }
    client = world.clients[persona]
    with transaction.atomic():
        if method == "GET":
            answer = client.get(path, filled)
        else:
            kind = "application/json" if name.startswith("api:") else MULTIPART_CONTENT
            answer = client.post(path, filled, content_type=kind)
        transaction.set_rollback(True)
    body = re.sub(rb'(csrfmiddlewaretoken" value|X-CSRFToken\W+)[^>]*', b"", answer.content).decode()
    headers = [(key, _blank(value, named)) for key, value in answer.items() if key != "X-Request-Id"]
    return answer.status_code, _blank(body, named), sorted(headers)


def test_a_row_in_ones_own_album_leads_to_no_other_album(world: World) -> None:
    mixed = world.olga.ids | {"collaborator_id": world.otto.ids["collaborator_id"]}
    for row in ("PATCH api:album-collaborator", "DELETE api:album-collaborator", "POST album-collaborator"):
        missing = mixed | {"collaborator_id": uuid4()}
        assert told(world, "owner", row, mixed) == told(world, "owner", row, missing), row
        assert status(world, "owner", row, mixed) == 404, row


# Beside the table


def test_what_has_no_rule_is_nobodys() -> None:
    with pytest.raises(KeyError):
        access.visible_to(Viewer(), User)


def test_a_guest_kept_with_an_account_is_reached_only_while_it_is_signed_in(world: World) -> None:
    path = reverse("api:selfie", kwargs={"selfie_id": world.olga.ids["selfie_id"]})
    with transaction.atomic():
        guest = Selfie.objects.get(pk=world.olga.ids["selfie_id"]).guest
        guest.user = User.objects.get(email__startswith="stranger")
        guest.save()
        assert world.clients["stranger"].get(path).status_code == 200
        assert world.clients["guest"].get(path).status_code == 404
        User.objects.filter(pk=guest.user.pk).update(is_active=False)
        assert world.clients["stranger"].get(path).status_code == 404
        by_header = world.clients["nobody"].get(path, headers={"pixora-guest": world.olga.ids["guest_key"]})
        assert by_header.status_code == 401
        transaction.set_rollback(True)


def test_the_table_names_every_persona_of_the_world(world: World) -> None:
    assert set(PERSONAS) == world.clients.keys()
    assert {name for names in GROUPS.values() for name in names} | {"nobody"} == set(PERSONAS)
