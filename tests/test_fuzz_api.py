"""The REST API under random requests, by its own description and beside it: no 5xx, answers as described, and nothing
of another tenant's for anybody.
"""

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from galleries.flows import album as album_flow
from galleries.models import Album, ApiToken, Archive, Guest, Link, Match, Selfie, User, Visit
from tests import pictures
from tests.conftest import PASSWORD, ready_photo
from tests.fuzzing import tell, tries

pytestmark = pytest.mark.django_db
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
PERSONAS = ["nobody", "guest", "owner", "other owner", "reader", "uploader", "manager", "staff"]


@dataclass
class Tenant:
    """All that one photographer has, and the strings that nobody else is ever told."""

    owner: User
    ids: dict[str, str]
    guest_key: str
    secrets: list[str]


@dataclass
class World:
    tenants: list[Tenant]
    headers: dict[str, dict[str, str]] = field(default_factory=dict)


def make_tenant(name: str) -> Tenant:
    owner = User.objects.create_user(f"{name}@example.org", PASSWORD)
    album = Album.objects.create(owner=owner, title=f"canary title {name}", brand_name=f"canary brand {name}")
    photo = ready_photo(album, pictures.png(pictures.quadrants(96, 64 + len(name))), f"canary-photo-{name}.png")
    album_flow.switch_face_search(album, True, by=owner, basis="contract", attested=True)
    link = Link.make(album, can_browse=True)
    guest, key = Guest.make()
    Visit.objects.create(guest=guest, link=link, unlocked=True)
    later = timezone.now() + timedelta(days=3)
    selfie = Selfie.objects.create(album=album, link=link, guest=guest, state="done", expires_at=later)
    Match.objects.create(selfie=selfie, photo=photo, tier="sure", x=0, y=0, width=1, height=1, distance=0.1)
    made = Client().post(
        f"/api/v1/selfies/{selfie.pk}/archives/", "{}", content_type="application/json", HTTP_PIXORA_GUEST=key
    )
    assert made.status_code == 201, made.content
    ids = {
        "album_id": str(album.pk),
        "photo_id": str(photo.pk),
        "link_id": str(link.pk),
        "selfie_id": str(selfie.pk),
        "archive_id": str(Archive.objects.get(selfie=selfie).pk),
        "token": link.token,
    }
    return Tenant(owner, ids, key, [f"canary title {name}", f"canary brand {name}", f"canary-photo-{name}"])


@pytest.fixture
def world() -> World:
    olga, otto = tenants = [make_tenant("olga"), make_tenant("otto")]
    ada = User.objects.create_superuser("ada@example.org", PASSWORD)

    def token(user: User, scopes: str = "read upload manage") -> dict[str, str]:
        return {"Authorization": f"Token {ApiToken.objects.create(user=user, scopes=scopes)[1]}"}

    return World(
        tenants,
        {
            "nobody": {},
            "guest": {"Pixora-Guest": olga.guest_key},
            "owner": token(olga.owner),
            "other owner": token(otto.owner),
            "reader": token(olga.owner, "read"),
            "uploader": token(olga.owner, "upload"),
            "manager": token(olga.owner, "manage"),
            "staff": token(ada),
        },
    )


HOME = {
    "nobody": None,
    "guest": 0,
    "owner": 0,
    "other owner": 1,
    "reader": 0,
    "uploader": 0,
    "manager": 0,
    "staff": None,
}


def served(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The site as a server calls it, which closes each answer; schemathesis does not, and zips count until then."""
    answer = application()(environ, start_response)
    try:
        return [b"".join(answer)]
    finally:
        answer.close()


@cache
def application() -> Any:
    return get_wsgi_application()


@cache
def operations() -> list[Any]:
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", served)
    return [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr]


@contextmanager
def as_it_was() -> Iterator[None]:
    """Whatever is asked within leaves nothing behind in the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def of_whom(persona: str, whose: str) -> int | None:
    """The tenant whose ids are put into the address: one's own, another's, or nobody's."""
    home = HOME[persona]
    if whose == "own":
        return home
    return None if whose == "made up" else 1 if home == 0 else 0


def judge(case: Any, response: Any, persona: str, tenant: int | None, world: World, foreign_body: bool) -> None:
    words = f"{persona} asks {case.method} {case.formatted_path}"
    case.validate_response(response, checks=CHECKS)
    home = HOME[persona]
    by_token = "{token}" in case.path
    named = [name for name in ("album_id", "photo_id", "link_id", "selfie_id", "archive_id") if name in case.path]
    if named and tenant != home:
        assert not 200 <= response.status_code < 300, words
    if foreign_body:
        passed_over = case.path.endswith("/photos/change/") and response.json() == {"changed": 0}
        assert passed_over or not 200 <= response.status_code < 300, f"{words} with photos of another album"
    for number, other in enumerate(world.tenants):
        # Whoever holds the token of a link is told the title.
        told = number in (home, tenant) if by_token else number == home
        if not told:
            text = response.content.decode(errors="replace") + str(dict(response.headers))
            assert not [secret for secret in other.secrets if secret in text], words


def put_foreign_photos(case: Any, photo: str) -> bool:
    """Into a body that names photos, those of another tenant."""
    if isinstance(case.body, dict) and ("photos" in case.body or case.path.endswith("/feedback/")):
        case.body |= {"photos": [photo]} if "photos" in case.body else {"photo": photo, "verdict": "me"}
        return True
    return False


@pytest.mark.parametrize("persona", PERSONAS)
def test_whatever_is_asked_as_the_schema_describes_is_answered_as_it_describes(persona: str, world: World) -> None:
    assert len(operations()) > 30
    counts: Counter[int] = Counter()

    @given(data=st.data())
    @tries(90, 4_000)
    def ask(data: Any) -> None:
        operation = data.draw(st.sampled_from(operations()))
        case = data.draw(operation.as_strategy())
        tenant = of_whom(persona, data.draw(st.sampled_from(["own", "another's", "made up"])))
        wanted = set(case.path_parameters)
        if tenant is not None:
            case.path_parameters = {name: world.tenants[tenant].ids.get(name, str(uuid4())) for name in wanted}
        elif data.draw(st.booleans()):
            case.path_parameters = {name: str(uuid4()) for name in wanted}
        foreign = world.tenants[1 if HOME[persona] != 1 else 0].ids["photo_id"]
        foreign_body = data.draw(st.booleans()) and put_foreign_photos(case, foreign)
        case.headers = {
            name: value
            for name, value in (case.headers or {}).items()
            if name.lower() not in ("authorization", "pixora-guest")
        }
        case.cookies = {}
        with as_it_was():
            response = case.call(headers=world.headers[persona])
            counts[response.status_code] += 1
            judge(case, response, persona, tenant, world, foreign_body)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask()
    tell(f"schemathesis: {sum(counts.values())} requests as {persona}: {dict(counts)}")
    assert counts[404] > 0
    assert {"nobody": counts[401], "uploader": counts[403], "staff": counts[404]}.get(persona, counts[200]) > 0


# Beside the schema: bodies that no serializer expects


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.uuids().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["title", "event_date", "face_search", "legal_basis", "basis", "attested", "files", "name", "size", "sha256",
     "path", "photos", "photo", "verdict", "password", "expires_at", "max_uses", "can_browse", "hidden", "consent",
     "accent", "welcome", "link_preview", "enabled", "id", "owner", "token"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["\0", "a\0b", "\ud800", "9" * 400, "-1", "1e400", "0x10", "null", "", " ", "\u202e", "2026-02-30"]
)
NUMBERS = st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**400, float("nan"), float("inf")])
BODIES = st.dictionaries(FIELDS | st.text(max_size=8), JSON | WORDS | NUMBERS, max_size=6) | JSON
JSON_ROUTES = [
    ("post", "albums/"), ("patch", "albums/{album_id}/"), ("post", "albums/{album_id}/photos/check/"),
    ("post", "albums/{album_id}/links/"), ("patch", "links/{link_id}/"), ("post", "albums/{album_id}/archives/"),
    ("patch", "photos/{photo_id}/"), ("post", "links/{token}/unlock/"), ("post", "selfies/{selfie_id}/feedback/"),
    ("post", "selfies/{selfie_id}/archives/"), ("post", "albums/{album_id}/retry/"),
]  # fmt: skip


def send(world: World, method: str, route: str, body: bytes, content_type: str, persona: str) -> int:
    client = Client(raise_request_exception=False)
    path = f"/api/v1/{route.format(**world.tenants[0].ids)}"
    with as_it_was():
        answer = client.generic(method.upper(), path, body, content_type, headers=world.headers[persona])
        list(answer)
        assert answer.status_code < 500, (method, route, body[:500], answer.content[:300])
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json", (method, route, body[:500])
            assert json.loads(answer.content)["status"] == answer.status_code
    return int(answer.status_code)


def test_no_json_body_is_answered_by_an_error_of_ours(world: World) -> None:
    counts: Counter[int] = Counter()

    @given(
        st.sampled_from(JSON_ROUTES),
        BODIES.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=60),
        st.sampled_from(
            ["application/json"] * 8 + ["application/json; charset=utf-16", "text/plain", "application/xml"]
        ),
    )
    @tries(150, 20_000)
    def ask(route: tuple[str, str], body: bytes, content_type: str) -> None:
        persona = "guest" if route[1].startswith("selfies") else "owner"
        counts[send(world, *route, body, content_type, persona)] += 1

    ask()
    tell(f"JSON bodies: {sum(counts.values())} tried: {dict(counts)}")
    assert counts[400] > 0


MULTIPART_ROUTES = [
    ("post", "albums/{album_id}/photos/"), ("put", "albums/{album_id}/logo/"), ("post", "links/{token}/selfies/")
]  # fmt: skip
GOOD = (
    b'--x\r\nContent-Disposition: form-data; name="FIELD"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    + pictures.png(pictures.quadrants(8, 8))
    + b'\r\n--x\r\nContent-Disposition: form-data; name="consent"\r\n\r\ntrue\r\n'
    + b'--x\r\nContent-Disposition: form-data; name="path"\r\n\r\na/b/c.jpg\r\n'
    + b'--x\r\nContent-Disposition: form-data; name="replaces"\r\n\r\n00000000-0000-0000-0000-000000000000\r\n--x--\r\n'
)


@st.composite
def forms(draw: Any) -> bytes:
    """A form that would be taken, with bytes changed, left out, doubled or put in."""
    body = bytearray(GOOD.replace(b"FIELD", draw(st.sampled_from([b"file", b"logo", b"selfie"]))))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(body) - 1)) if body else 0
        new = draw(
            st.binary(max_size=4) | st.sampled_from([b"\0", b"\r\n", b"--x", b'"', b"filename*=utf-8''%00%ff", b"\xff"])
        )
        body[at : at + draw(st.integers(0, 12))] = new
    return bytes(body)


def test_no_form_is_answered_by_an_error_of_ours(world: World) -> None:
    counts: Counter[int] = Counter()

    @given(
        st.sampled_from(MULTIPART_ROUTES),
        forms() | st.binary(max_size=80),
        st.sampled_from(
            ["multipart/form-data; boundary=x"] * 12
            + ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\xfc",
               "multipart/form-data; boundary=x; charset=utf-7", "multipart/form-data; boundary=x; charset=none"]
        ),
    )  # fmt: skip
    @tries(120, 8_000)
    def ask(route: tuple[str, str], body: bytes, content_type: str) -> None:
        persona = "guest" if route[1].startswith("links") else "owner"
        counts[send(world, *route, body, content_type, persona)] += 1

    ask()
    tell(f"forms: {sum(counts.values())} tried: {dict(counts)}")
    assert counts[201] + counts[202] > 0


def test_half_a_character_in_json_is_refused_and_not_repeated(world: World) -> None:
    """JSON can say it, and an answer that repeats it could not be encoded."""
    for method, route in JSON_ROUTES[:-1]:
        persona = "guest" if route.startswith("selfies") else "owner"
        body = json.dumps({"title": "\ud800", "size": "\udfff", "verdict": "\ud800"}).encode()
        assert send(world, method, route, body, "application/json", persona) == 400


def test_the_description_is_valid_and_made_without_a_warning(tmp_path: Path) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))
    assert "Problem" in (tmp_path / "schema.yml").read_text()
