"""Mail about new photos: asked first, hours of quiet, ended by one click. How it is sent: test_mail.py."""

import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail, signing
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from galleries.flows import album as album_flow
from galleries.flows import notice, upkeep
from galleries.flows import photo as photo_flow
from galleries.models import Album, AskedAddress, Choice, Link, Photo, Selfie, Unsubscribed, User
from tests import pictures
from tests.conftest import ready_photo, search, work_off
from tests.pages import selfie_file, text_of

pytestmark = pytest.mark.django_db
ADDRESS = "gina@example.org"
# How the links were signed that a guest's own page once showed.
PAGES_ONCE = "galleries.mail.choice"


@pytest.fixture(autouse=True)
def a_site_with_mail(settings: Any) -> None:
    settings.PIXORA_MAILS_GUESTS = True
    settings.PIXORA_PUBLIC_URL = "https://photos.example.org"


@pytest.fixture
def guest(searchable: Album, link: Link) -> Client:
    """A guest's browser, after a search that found one photo, and with their address given."""
    ready_photo(searchable)
    browser = Client()
    said = {"step": "selfie", "selfie": selfie_file(), "consent": "on", "keep_me_posted": "on", "email": ADDRESS}
    assert browser.post(reverse("guest-link", args=[link.token]), said).status_code == 302
    work_off()
    return browser


def deliver() -> list[Any]:
    """What upkeep's worker does of mail, and what went out by it."""
    mail.outbox = []
    while Selfie.objects.mail_due().exists():
        notice.work()
    return mail.outbox


def links_in(message: Any) -> list[str]:
    return re.findall(r"https://photos\.example\.org(/\S+)", message.body)


def confirm(browser: Client) -> str:
    """The guest follows the first mail. Returns the mails' own link."""
    (asked,) = deliver()
    (choice,) = links_in(asked)
    assert "Yes, tell me" in text_of(browser.get(choice))
    assert "We will tell you" in text_of(browser.post(choice, {"step": "confirm"}))
    return choice


def later_photo(album: Album, quality: int) -> Photo:
    return ready_photo(album, pictures.jpeg(pictures.portrait(), quality=quality), f"later-{quality}.jpg")


def rested() -> None:
    Selfie.objects.update(email_rest_until=timezone.now() - timedelta(seconds=1))


def test_an_address_is_asked_before_anything_else_is_sent_to_it(guest: Client, searchable: Album) -> None:
    (asked,) = deliver()
    assert asked.to == [ADDRESS]
    assert "gave this address" in asked.body
    later_photo(searchable, 60)
    rested()
    assert deliver() == [], "asked once, and not told of anything"


def test_a_confirmed_address_is_told_of_what_is_new_and_led_to_it(guest: Client, searchable: Album) -> None:
    confirm(Client())
    rested()
    assert deliver() == [], "what the guest has seen already is not news"
    later_photo(searchable, 60)
    (told,) = deliver()
    assert told.subject == "1 new photo of you: Summer party"
    gallery, choice = links_in(told)
    phone = Client()
    assert "2 photos of you" in text_of(phone.post(gallery, follow=True))
    assert told.extra_headers["List-Unsubscribe"] == f"<https://photos.example.org{choice}>"


def test_there_are_six_hours_of_quiet_and_then_one_mail_of_all(guest: Client, searchable: Album) -> None:
    confirm(guest)
    rested()
    later_photo(searchable, 60)
    assert len(deliver()) == 1
    later_photo(searchable, 70)
    later_photo(searchable, 80)
    assert deliver() == []
    rest = Selfie.objects.get().email_rest_until
    assert rest
    assert timedelta(hours=5, minutes=58) < rest - timezone.now() < timedelta(hours=6, minutes=1)
    rested()
    (told,) = deliver()
    assert told.subject == "2 new photos of you: Summer party"


def test_mail_speaks_the_language_of_the_page_on_which_it_was_asked_for(
    searchable: Album, link: Link, guest: Client
) -> None:
    german, path = Client(headers={"Accept-Language": "de"}), reverse("guest-link", args=[link.token])
    said = {"step": "selfie", "selfie": selfie_file(), "consent": "on", "keep_me_posted": "on"}
    german.post(path, said | {"email": "gabi@example.org"})
    with translation.override("en"):
        work_off()
        spoken = {asked.to[0]: asked.body for asked in deliver()}
    assert "gave this address" in spoken[ADDRESS]
    assert "Adresse angegeben" in spoken["gabi@example.org"]


def test_one_click_ends_them_without_a_cookie_or_a_form_and_for_good(guest: Client, searchable: Album) -> None:
    confirm(guest)
    rested()
    later_photo(searchable, 60)
    (told,) = deliver()
    choice = links_in(told)[1]
    mail_program = Client(enforce_csrf_checks=True)
    assert "Stop these e-mails" in text_of(mail_program.get(choice)), "looking changes nothing"
    assert Selfie.objects.get().email == ADDRESS
    for _ in range(2):
        assert mail_program.post(choice, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Selfie.objects.get().email == "", "the address is forgotten, the search goes on"
    later_photo(searchable, 70)
    guest.post(reverse("selfie-mail", args=[Selfie.objects.get().pk]), {"email": ADDRESS.upper()})
    AskedAddress.objects.all().delete()
    rested()
    assert deliver() == [], "nor is it asked once more, whoever gives it"
    assert Selfie.objects.get().email == ""
    assert ADDRESS not in str(Unsubscribed.objects.values())


def test_whoever_stopped_them_may_start_them_again_by_any_of_our_mails(guest: Client, searchable: Album) -> None:
    choice = confirm(guest)
    assert "No more e-mails" in text_of(guest.post(choice, {"step": "stop"}))
    assert "Allow them again" in text_of(Client().get(choice))
    assert "You may get such e-mails again" in text_of(Client().post(choice, {"step": "confirm"}))
    assert not Unsubscribed.objects.exists()
    guest.post(reverse("selfie-mail", args=[Selfie.objects.get().pk]), {"email": ADDRESS})
    rested()
    assert [asked.to for asked in deliver()] == [[ADDRESS]]


def test_a_question_that_is_declined_is_not_asked_for_another_album(guest: Client, owner: User) -> None:
    (asked,) = deliver()
    Client().post(links_in(asked)[0], {"List-Unsubscribe": "One-Click"})
    other = Album.objects.create(owner=owner, title="Winter party")
    album_flow.switch_face_search(other, True, by=owner, basis="contract", attested=True)
    found = search(Link.make(other), keep_me_posted="true")
    notice.subscribe(found.selfie, ADDRESS)
    AskedAddress.objects.all().delete()
    assert deliver() == []


def test_an_album_that_was_stopped_says_nothing_of_another(guest: Client, searchable: Album, owner: User) -> None:
    confirm(guest)
    rested()
    later_photo(searchable, 60)
    (told,) = deliver()
    Client().post(links_in(told)[1], {"List-Unsubscribe": "One-Click"})
    other = Album.objects.create(owner=owner, title="Winter party")
    album_flow.switch_face_search(other, True, by=owner, basis="contract", attested=True)
    notice.subscribe(search(Link.make(other), keep_me_posted="true").selfie, ADDRESS)
    assert [asked.subject for asked in deliver()] == ["Shall we tell you about new photos? Winter party"]


def test_two_searches_of_a_guest_in_one_album_are_one_mail(guest: Client, searchable: Album, link: Link) -> None:
    confirm(guest)
    path, said = reverse("guest-link", args=[link.token]), {"step": "selfie", "consent": "on", "keep_me_posted": "on"}
    guest.post(path, said | {"selfie": selfie_file(), "email": ADDRESS})
    work_off()
    rested()
    (asked,) = deliver()
    Client().post(links_in(asked)[0], {"step": "confirm"})
    rested()
    later_photo(searchable, 60)
    (told,) = deliver()
    assert told.subject == "1 new photo of you: Summer party"
    assert Selfie.objects.filter(email_rest_until__gt=timezone.now()).count() == 2


def test_the_hours_of_quiet_are_a_setting(guest: Client, searchable: Album, settings: Any) -> None:
    settings.PIXORA_MAIL_QUIET_HOURS = 0
    confirm(guest)
    rested()
    later_photo(searchable, 60)
    assert len(deliver()) == 1
    later_photo(searchable, 70)
    assert len(deliver()) == 1


def test_photos_found_at_a_full_second_are_told_of_once(guest: Client, searchable: Album, settings: Any) -> None:
    settings.PIXORA_MAIL_QUIET_HOURS = 0
    confirm(guest)
    rested()
    later_photo(searchable, 60)
    # As the database itself writes it.
    full = "STRFTIME('%Y-%m-%d %H:%M:%S.000', 'NOW', '+2 seconds')"
    if connection.vendor == "postgresql":
        full = "date_trunc('second', now()) + interval '2 seconds'"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE galleries_match SET found_at = {full}")
    notice.work()
    rested()
    assert not Selfie.objects.mail_due().exists()


def test_a_mail_is_the_same_in_text_and_html_and_fetches_nothing(guest: Client, searchable: Album) -> None:
    confirm(guest)
    rested()
    Album.objects.update(title="<b>R&D</b> party", accent="#ffee00", brand_name="Studio <i>")
    later_photo(searchable, 60)
    (told,) = deliver()
    ((html, kind),) = told.alternatives
    assert kind == "text/html"
    assert "“<b>R&D</b> party”" in told.body
    assert "&lt;b&gt;R&amp;D&lt;/b&gt; party" in html
    assert "Studio &lt;i&gt;" in html
    for link_in_text in links_in(told):
        assert f"https://photos.example.org{link_in_text}" in html
    assert not re.search(r"<img|<link|url\(|@import|<script| src=", html)
    assert "#ffee00" not in html, "white words on it could not be read"


def test_a_photo_hidden_at_the_last_moment_is_not_told_of(
    guest: Client, searchable: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm(guest)
    rested()
    photo, tell = later_photo(searchable, 60), notice._tell

    def hide_first(selfie: Selfie) -> None:
        photo_flow.hide(photo, hidden=True)
        tell(selfie)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(notice, "_tell", hide_first)
        assert deliver() == []
    photo_flow.hide(photo, hidden=False)
    rested()
    assert [told.subject for told in deliver()] == ["1 new photo of you: Summer party"], "it is not asked once more"


def test_a_search_that_is_over_takes_no_address(guest: Client) -> None:
    selfie = Selfie.objects.get()
    Selfie.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    upkeep.end_selfies()
    assert guest.post(reverse("selfie-mail", args=[selfie.pk]), {"email": ADDRESS}).status_code == 403
    assert Selfie.objects.get().email == ""


def test_many_searches_ask_one_address_once_an_hour(guest: Client, link: Link) -> None:
    path, said = reverse("guest-link", args=[link.token]), {"step": "selfie", "consent": "on", "keep_me_posted": "on"}
    for address in (ADDRESS.upper(), "other@example.org"):
        Client().post(path, said | {"selfie": selfie_file(), "email": address})
    work_off()
    assert [asked.to for asked in deliver()] == [[ADDRESS], ["other@example.org"]]
    rested()
    assert deliver() == []
    AskedAddress.objects.update(since=timezone.now() - timedelta(hours=1, seconds=1))
    rested()
    assert [asked.to for asked in deliver()] == [[ADDRESS.upper()]]


def test_withdrawing_and_asking_anew_ask_an_address_no_more_often(guest: Client, link: Link) -> None:
    path, said = reverse("guest-link", args=[link.token]), {"step": "selfie", "consent": "on", "keep_me_posted": "on"}
    assert len(deliver()) == 1
    guest.post(reverse("selfie-mail", args=[Selfie.objects.get().pk]), {"email": ADDRESS})
    rested()
    assert deliver() == []
    guest.post(reverse("selfie-withdraw", args=[Selfie.objects.get().pk]), {"confirmed": "yes"})
    guest.post(path, said | {"selfie": selfie_file(), "email": ADDRESS})
    work_off()
    assert Selfie.objects.get().state == "done"
    assert deliver() == []
    assert ADDRESS not in str(AskedAddress.objects.values_list("address_hash", flat=True)[0])
    AskedAddress.objects.update(since=timezone.now() - timedelta(hours=1, seconds=1))
    upkeep.drop_old()
    assert not AskedAddress.objects.exists()
    rested()
    assert len(deliver()) == 1


def test_the_sweeper_rings_for_mail_that_is_due(guest: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(upkeep, "ring", lambda task: rung.append(task.name))
    upkeep.ring_for_due()
    assert rung == ["galleries.flows.notice.work"]


def test_an_address_given_on_the_result_page_replaces_the_one_before(guest: Client) -> None:
    choice = confirm(guest)
    selfie = Selfie.objects.get()
    path = reverse("selfie-mail", args=[selfie.pk])
    assert guest.post(path, {"email": "no address"}).status_code == 400
    answer = guest.post(path, {"email": "new@example.org"}, follow=True)
    assert "We have sent you an e-mail" in text_of(answer)
    assert "Stop these e-mails" in text_of(Client().get(choice)), "the link of the former address is about that one"
    assert deliver() == [], "a search asks at most once in five minutes, whomever"
    rested()
    assert [asked.to for asked in deliver()] == [["new@example.org"]]


def test_the_page_of_whoever_typed_an_address_in_answers_nothing_for_its_owner(guest: Client) -> None:
    (asked,) = deliver()
    Client().post(links_in(asked)[0], {"step": "stop"})
    selfie = Selfie.objects.get()
    guest.post(reverse("selfie-mail", args=[selfie.pk]), {"email": ADDRESS})
    shown = guest.get(reverse("selfie", args=[selfie.pk])).content.decode()
    assert ADDRESS in shown
    assert not re.search(r"/m/[^\"]", shown), "the link that mails carry is for who reads them"
    stood_there = signing.dumps(dataclasses.astuple(Choice.about("photos", ADDRESS, selfie)), salt=PAGES_ONCE)
    for step in ("confirm", "stop"):
        assert guest.post(reverse("mail", args=[stood_there]), {"step": step}).status_code == 404
    assert list(Unsubscribed.objects.values_list("scope", flat=True)) == ["photos"]
    assert AskedAddress.objects.count() == 1
    assert Selfie.objects.get().email_confirmed_at is None


def test_a_guest_has_the_address_of_a_search_forgotten_and_nothing_else(guest: Client) -> None:
    confirm(Client())
    selfie = Selfie.objects.get()
    path, page = reverse("selfie-mail", args=[selfie.pk]), reverse("selfie", args=[selfie.pk])
    assert f"E-mails about new photos go to {ADDRESS}" in text_of(guest.get(page))
    assert Client().post(path, {"step": "forget"}).status_code == 404
    assert Selfie.objects.get().email == ADDRESS
    answer = text_of(guest.post(path, {"step": "forget"}, follow=True))
    assert "We have forgotten the address" in answer
    assert "Tell me about new photos by e-mail" in answer, "another may be given"
    assert (Selfie.objects.get().email, Selfie.objects.get().email_confirmed_at) == ("", None)
    assert not Unsubscribed.objects.exists(), "whether it wants mails of this album is its owner's word"


def test_withdrawing_and_ending_erase_the_address(guest: Client) -> None:
    selfie = Selfie.objects.get()
    Selfie.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    upkeep.end_selfies()
    assert Selfie.objects.get().email == ""
    selfie.delete()
    assert deliver() == []


def test_no_address_is_taken_without_the_wish_or_where_no_mail_is_sent(
    searchable: Album, link: Link, settings: Any
) -> None:
    path, said = reverse("guest-link", args=[link.token]), {"step": "selfie", "consent": "on", "email": ADDRESS}
    assert "By e-mail too" in text_of(Client().get(path))
    Client().post(path, said | {"selfie": selfie_file()})
    settings.PIXORA_MAILS_GUESTS = False
    assert "By e-mail too" not in text_of(Client().get(path))
    Client().post(path, said | {"selfie": selfie_file(), "keep_me_posted": "on"})
    assert list(Selfie.objects.values_list("email", flat=True)) == ["", ""]
