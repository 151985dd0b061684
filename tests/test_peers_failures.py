"""What went wrong in the sharing of others who do what we do, each as a test of its own that can fail here."""

import json
import logging
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from io import BytesIO
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.conf import settings
from django.core import mail
from django.db import transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from galleries.flows import album as album_flow
from galleries.flows import api_token as token_flow
from galleries.flows import notice
from galleries.flows import photo as photo_flow
from galleries.models import Album, Archive, Link, User, Visit
from tests import pictures
from tests.conftest import PASSWORD, add, api_of, browser_of, ready_photo, search, work_off
from tests.pages import read
from tests.routes import address, routes

pytestmark = pytest.mark.django_db
SECRET = "lake of glass"


def body_of(answer: Any) -> bytes:
    found = b"".join(answer.streaming_content) if getattr(answer, "streaming", False) else answer.content
    answer.close()
    return bytes(found)


def sweep(client: Client, ids: dict[str, Any], among: str) -> Iterator[tuple[str, Any]]:
    """A GET of every route whose address has this in it, each as if it were the only one."""
    for name, pattern in routes():
        if among in str(pattern.pattern):
            with transaction.atomic():
                yield name, client.get(address(name, pattern, ids))
                transaction.set_rollback(True)


# The password of a link is asked on one endpoint, and every other forgets it


def test_a_links_password_is_asked_on_every_route_that_its_token_opens(album: Album) -> None:
    album.link_preview, album.accent = True, "#336699"
    album.save()
    photo = ready_photo(album, pictures.jpeg(pictures.faceless()), name="canary-name.jpg")
    link = Link.make(album, password=SECRET, can_browse=True)
    ids: dict[str, Any] = dict.fromkeys(("uidb36", "key", "rest", "return_token", "mail_token"), "x") | {
        "token": link.token
    }
    asked = 0
    for name, answer in sweep(Client(), ids, "<str:token>"):
        asked += 1
        body = body_of(answer)
        assert str(photo.pk).encode() not in body, name
        assert b"canary" not in body, name
        assert answer.status_code in (200, 403, 404, 405), name
        if answer.status_code == 200 and name.startswith("api:"):
            assert json.loads(body)["photo_count"] is None, name
    assert asked >= 8
    cover = Client().get(reverse("guest-cover", args=[link.token]))
    assert cover.status_code == 404
    path = reverse("guest-link", args=[link.token])
    for step in ("browse", "selfie"):
        assert Client().post(path, {"step": step}).status_code == 403
    selfie = APIClient().post(f"/api/v1/links/{link.token}/selfies/", {"consent": "true"})
    assert selfie.status_code == 403
    assert not Visit.objects.exists()


# The password in an address, or sent back


def test_a_password_stands_in_no_address_and_is_echoed_nowhere(
    album: Album, desk: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = desk.post(reverse("album-link-new", args=[album.pk]), {"password": SECRET})
    link = Link.objects.get()
    path = reverse("guest-link", args=[link.token])
    assert SECRET not in link.password_hash
    wrong = "wrong guess of mine"
    answers: list[Any] = [
        made,
        desk.get(made["Location"]),
        desk.get(f"/api/v1/links/{link.pk}/"),
        desk.post(made["Location"], {"password": SECRET, "last_day": "no day"}),
        Client().get(path, {"password": SECRET, "step": "unlock"}),
        Client().post(f"{path}?password={quote(SECRET)}", {"step": "unlock", "password": wrong}),
        Client().post(path, {"step": "unlock", "password": SECRET}),
        APIClient().get(f"/api/v1/links/{link.token}/photos/?password={quote(SECRET)}"),
        APIClient().post(f"/api/v1/links/{link.token}/unlock/", {"password": wrong}, format="json"),
        APIClient().post(f"/api/v1/links/{link.token}/unlock/", {"password": SECRET}, format="json"),
    ]
    assert [answer.status_code for answer in answers] == [302, 200, 200, 200, 200, 403, 302, 403, 403, 200]
    for answer in answers:
        # The form's own address, which the reader typed, stands on its page for the choice of language.
        said = str(dict(answer.items())) + answer.content.decode().replace(quote(SECRET), "")
        said = said.replace("/?password=lake+of+glass", "")
        assert SECRET not in said, answer.request["PATH_INFO"]
        assert wrong not in said
    assert SECRET not in caplog.text
    assert wrong not in caplog.text


def test_a_password_of_an_account_is_never_sent_back(owner: User) -> None:
    for place, sent in (
        (reverse("account_login"), {"login": owner.email, "password": "wrong guess of mine"}),
        (reverse("account_signup"), {"email": "no address", "password1": "wrong guess of mine"}),
    ):
        answer = Client().post(place, sent)
        assert answer.status_code == 200
        assert b"wrong guess of mine" not in answer.content


# Redirects to where somebody else says


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "http:///evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "/\t/evil.example/",
    "http://testserver@evil.example/",
    "http://testserver.evil.example/",
    "\x00//evil.example/",
]


@pytest.mark.parametrize("to", ELSEWHERE)
def test_next_leads_nowhere_but_to_this_site(owner: User, to: str) -> None:
    known = {"login": owner.email, "password": PASSWORD}
    query = f"?next={quote(to, safe='')}"
    signed_in = browser_of(owner)
    answers: list[Any] = [
        Client().post(reverse("account_login") + query, known),
        Client().post(reverse("account_login"), known | {"next": to}),
        signed_in.get(reverse("account_login") + query),
        signed_in.get(reverse("account_signup") + query),
        Client().post(reverse("set_language"), {"language": "de", "next": to}),
        Client().post(reverse("set_language") + query, {"language": "de"}, headers={"referer": to}),
        signed_in.post(reverse("account_reauthenticate") + query, {"password": PASSWORD}),
        signed_in.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": to}),
        signed_in.post(reverse("account_logout") + query),
        Client().get(reverse("admin:login") + query),
    ]
    for answer in answers:
        assert answer.status_code in (302, 204), answer.request["PATH_INFO"]
        place = urlsplit(urljoin("http://testserver/x", answer.get("Location", "/")))
        assert (place.scheme, place.netloc) == ("http", "testserver"), answer["Location"]
    for page in (reverse("account_login"), reverse("account_signup")):
        links = read(Client().get(page + query).content.decode()).addresses
        assert not [each for each in links if "evil" in each.split("?")[0] or "script:" in each.split("?")[0].lower()]


# An album's name that breaks out of what it stands in


BREAKING_OUT = (
    '"><script>alert(1)</script><img src=x onerror=alert(1)>\r\nX-Evil: yes\r\n\r\n'
    '\u202e=cmd|/x;filename="../../evil.exe"'
)


def test_an_albums_name_breaks_out_of_no_page_header_zip_poster_or_mail(
    settings: Any, owner: User, desk: Client
) -> None:
    settings.PIXORA_MAILS_GUESTS, settings.PIXORA_PUBLIC_URL = True, "https://photos.example.org"
    album = Album.objects.create(
        owner=owner, title=BREAKING_OUT[:120], brand_name=BREAKING_OUT[:80], welcome=BREAKING_OUT, link_preview=True
    )
    album_flow.switch_face_search(album, True, by=owner, basis="contract", attested=True)
    ready_photo(album, name=BREAKING_OUT, folder=BREAKING_OUT)
    link, locked = Link.make(album, can_browse=True), Link.make(album, password="lake")
    found = search(link, keep_me_posted="true")
    guest = Client()
    guest.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    guest.post(reverse("guest-link", args=[link.token]), {"step": "browse"})
    pages = [
        desk.get(reverse("albums")),
        *(desk.get(reverse(name, args=[album.pk])) for name in ("album", "album-edit", "album-link-new")),
        desk.get(reverse("album-upload", args=[album.pk])),
        *(desk.get(reverse(name, args=[link.pk])) for name in ("link", "link-poster", "link-delete")),
        desk.get(reverse("token-revoke", args=[token_flow.make(owner, scopes=["read"], albums=[album])[0].public_id])),
        desk.get(reverse("tokens")),
        desk.get(reverse("photo", args=[album.photos.get().pk])),
        *(guest.get(reverse("guest-link", args=[each.token])) for each in (link, locked)),
        guest.get(reverse("shared", args=[album.pk])),
        guest.get(reverse("my-photos")),
        guest.get(reverse("selfie", args=[found.selfie.pk])),
    ]
    for page in pages:
        assert page.status_code == 200, page.request["PATH_INFO"]
        reader = read(page.content.decode())
        assert reader.inline == [], page.request["PATH_INFO"]
        assert "x" not in reader.sources, page.request["PATH_INFO"]
    notice.subscribe(found.selfie, "gina@example.org")
    mail.outbox = []
    notice.work()
    made = desk.post(f"/api/v1/albums/{album.pk}/archives/", "{}", content_type="application/json").json()
    zipped, original = desk.get(made["url"]), desk.get(reverse("api:photo-original", args=[album.photos.get().pk]))
    for answer in (*pages, zipped, original):
        assert "X-Evil" not in answer
        assert not any("\n" in value or "\r" in value for value in answer.headers.values())
    assert zipped["Content-Disposition"].startswith("attachment")
    names = zipfile.ZipFile(BytesIO(body_of(zipped))).namelist()
    assert not any(part in ("..", "") or ":" in part for name in names for part in name.split("/"))
    original.close()
    sent = message_from_bytes(mail.outbox[0].message().as_bytes())
    assert sent["X-Evil"] is None
    assert sorted({name for name in sent if name.startswith("X-")}) == []


# Hidden photos that show in counts, zips, searches, covers


def test_a_hidden_photo_shows_in_no_count_zip_search_cover_or_listing(searchable: Album) -> None:
    searchable.link_preview = True
    searchable.save()
    hidden = ready_photo(searchable, name="canary.jpg")
    link = Link.make(searchable, can_browse=True)
    searchable.cover = hidden
    searchable.save()
    photo_flow.hide(hidden, hidden=True)
    found = search(link)
    guest = Client()
    guest.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    guest.post(reverse("guest-link", args=[link.token]), {"step": "browse"})
    answers: list[Any] = [
        found.api.get(f"/api/v1/selfies/{found.selfie.pk}/"),
        APIClient().get(f"/api/v1/links/{link.token}/"),
        found.api.get(f"/api/v1/links/{link.token}/photos/"),
        guest.get(reverse("shared", args=[searchable.pk])),
        guest.get(reverse("shared-listing", args=[searchable.pk])),
        guest.get(reverse("selfie", args=[found.selfie.pk])),
        guest.get(reverse("selfie-status", args=[found.selfie.pk])),
        guest.get(reverse("my-photos")),
        guest.get(reverse("guest-link", args=[link.token])),
    ]
    for answer in answers:
        assert answer.status_code in (200, 286), answer.request["PATH_INFO"]
        assert str(hidden.pk).encode() not in answer.content, answer.request["PATH_INFO"]
        assert b"canary" not in answer.content, answer.request["PATH_INFO"]
    assert answers[1].json()["photo_count"] == 0
    assert answers[0].json()["photos"] == []
    assert guest.get(reverse("guest-cover", args=[link.token])).status_code == 404
    for kind in ("thumb", "preview", "original"):
        assert guest.get(f"/api/v1/photos/{hidden.pk}/{kind}").status_code == 404
    for wish in ({}, {"photos": [str(hidden.pk)]}):
        made = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", wish, format="json")
        assert made.status_code in (400, 404)
    judged = {"photo": str(hidden.pk), "verdict": "me"}
    assert found.api.post(f"/api/v1/selfies/{found.selfie.pk}/feedback/", judged, format="json").status_code >= 400
    assert not Archive.objects.exists()


# Unlocking one album unlocks another


def test_a_password_opens_one_link_though_others_have_the_same(album: Album, other_owner: User) -> None:
    twin = Album.objects.create(owner=other_owner, title="Twin")
    ready_photo(twin, pictures.jpeg(pictures.faceless()))
    one, same_album, other = (Link.make(each, password="lake", can_browse=True) for each in (album, album, twin))
    guest = Client()
    unlocked = guest.post(reverse("guest-link", args=[one.token]), {"step": "unlock", "password": "lake"})
    assert unlocked.status_code == 302
    for link in (same_album, other):
        assert b'name="password"' in guest.get(reverse("guest-link", args=[link.token])).content
        assert guest.post(reverse("guest-link", args=[link.token]), {"step": "browse"}).status_code == 403
        assert guest.get(f"/api/v1/links/{link.token}/photos/").status_code == 403
    assert guest.get(reverse("shared", args=[twin.pk])).status_code == 404
    assert [visit.link_id for visit in Visit.objects.filter(unlocked=True)] == [one.pk]


def test_the_hash_of_one_links_password_opens_no_other(album: Album) -> None:
    one, other = Link.make(album, password="lake"), Link.make(album, password="sea")
    Link.objects.filter(pk=other.pk).update(password_hash=one.password_hash)
    other.refresh_from_db()
    assert (one.accepts("lake"), other.accepts("lake"), other.accepts("sea")) == (True, False, False)


# Knowing the hash of a photo is having it


def test_knowing_a_hash_tells_nothing_and_gives_nothing(owner: User, other_owner: User) -> None:
    theirs = Album.objects.create(owner=other_owner, title="Theirs")
    mine, my_other = (Album.objects.create(owner=owner, title=title) for title in ("Mine", "My other"))
    data = pictures.jpeg(pictures.faceless())
    photo = add(theirs, data).photo
    client = api_of(owner)
    known, unknown = photo.sha256, "0" * 64
    for album in (mine, my_other):
        files = [{"name": "a.jpg", "size": len(data), "sha256": each} for each in (known, unknown)]
        answer = client.post(f"/api/v1/albums/{album.pk}/photos/check/", {"files": files}, format="json").json()
        assert sorted(answer["missing"]) == sorted([known, unknown])
        assert answer["duplicate"] == []
    received = add(mine, data)
    assert received.outcome == "accepted"
    assert received.photo.original_key != photo.original_key, "each has bytes of its own"
    work_off()
    check = client.post(f"/api/v1/albums/{my_other.pk}/photos/check/", {"files": files[:1]}, format="json").json()
    assert check["missing"] == [known], "in the album asked about, not in all of one's own"
    photo_flow.delete([received.photo])
    photo.refresh_from_db()
    assert body_of(browser_of(other_owner).get(reverse("api:photo-original", args=[photo.pk]))) == data


# A password that is refused, and a link that is open


REFUSED = ["x" * 129, "x" * 5000]


@pytest.mark.parametrize("refused", REFUSED)
def test_a_new_password_that_is_refused_leaves_the_old_one(album: Album, desk: Client, refused: str) -> None:
    link = Link.make(album, password="lake")
    page = desk.post(reverse("link", args=[link.pk]), {"password": refused})
    assert page.status_code == 200
    api = desk.patch(f"/api/v1/links/{link.pk}/", {"password": refused}, content_type="application/json")
    none = desk.patch(f"/api/v1/links/{link.pk}/", {"password": None}, content_type="application/json")
    mixed = desk.patch(f"/api/v1/links/{link.pk}/", {"password": "sea", "max_uses": 0}, content_type="application/json")
    assert (api.status_code, none.status_code, mixed.status_code) == (400, 400, 400)
    link.refresh_from_db()
    assert link.needs_password
    assert [link.accepts(each) for each in ("lake", "", refused, "sea")] == [True, False, False, False]


@pytest.mark.parametrize("refused", REFUSED)
def test_a_link_whose_password_is_refused_is_not_made_without_one(album: Album, desk: Client, refused: str) -> None:
    desk.post(reverse("album-link-new", args=[album.pk]), {"password": refused})
    desk.post(f"/api/v1/albums/{album.pk}/links/", {"password": refused}, content_type="application/json")
    assert not Link.objects.exists()


def test_a_password_of_blanks_is_a_password(album: Album, desk: Client) -> None:
    """Blanks taken off on the way would make an open link of it, or change one that guests must type."""
    made = desk.post(f"/api/v1/albums/{album.pk}/links/", {"password": "  "}, content_type="application/json")
    link = Link.objects.get(pk=made.json()["id"])
    assert link.needs_password
    desk.patch(f"/api/v1/links/{link.pk}/", {"password": " lake "}, content_type="application/json")
    path = f"/api/v1/links/{link.token}/unlock/"
    codes = [
        APIClient().post(path, {"password": each}, format="json").status_code for each in ("lake", "", "  ", " lake ")
    ]
    assert codes == [403, 403, 403, 200]
