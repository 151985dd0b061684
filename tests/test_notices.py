"""Mail about new photos: asked first, an hour of quiet, ended by one click, and nothing lost on the way."""

import re
import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from galleries.flows import notice, upkeep
from galleries.flows import photo as photo_flow
from galleries.models import Album, AskedAddress, Link, Photo, Selfie
from tests import pictures
from tests.conftest import ready_photo, work_off
from tests.pages import selfie_file, text_of

pytestmark = pytest.mark.django_db
ADDRESS = "gina@example.org"


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


def test_there_is_an_hour_of_quiet_and_then_one_mail_of_all(guest: Client, searchable: Album) -> None:
    confirm(guest)
    rested()
    later_photo(searchable, 60)
    assert len(deliver()) == 1
    later_photo(searchable, 70)
    later_photo(searchable, 80)
    assert deliver() == []
    rest = Selfie.objects.get().email_rest_until
    assert rest
    assert timedelta(minutes=58) < rest - timezone.now() < timedelta(minutes=61)
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


def test_one_click_ends_them_without_a_cookie_or_a_form(guest: Client, searchable: Album) -> None:
    choice = confirm(guest)
    mail_program = Client(enforce_csrf_checks=True)
    assert mail_program.post(choice, {"List-Unsubscribe": "One-Click"}).status_code == 200
    later_photo(searchable, 60)
    rested()
    assert deliver() == []
    assert Selfie.objects.get().email == "", "the address is forgotten, the search goes on"
    assert Client().get(choice).status_code == 404


def test_a_mail_server_that_is_down_delays_a_mail_and_loses_none(
    guest: Client, searchable: Album, settings: Any
) -> None:
    confirm(guest)
    rested()
    later_photo(searchable, 60)
    working, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    notice.work()
    settings.EMAIL_BACKEND = working
    assert deliver() == [], "it rests before it is tried again"
    rested()
    assert [told.subject for told in deliver()] == ["1 new photo of you: Summer party"]


def test_an_address_that_the_mail_server_refuses_is_forgotten(guest: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise smtplib.SMTPRecipientsRefused({ADDRESS: (550, b"unknown")})

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    notice.work()
    assert Selfie.objects.get().email == ""


def test_an_address_that_is_put_off_is_kept_and_never_logged(
    guest: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    troubles = [
        smtplib.SMTPRecipientsRefused({ADDRESS: (450, b"greylisted: " + ADDRESS.encode())}),
        smtplib.SMTPDataError(451, b"not now, " + ADDRESS.encode()),
    ]

    def put_off(*_: Any) -> None:
        raise troubles.pop()

    with monkeypatch.context() as busy:
        busy.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", put_off)
        for _ in range(2):
            notice.work()
            rested()
    assert not troubles
    assert ADDRESS not in caplog.text
    assert [asked.to for asked in deliver()] == [[ADDRESS]]


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


def test_a_mail_server_that_says_nothing_holds_nobody_up_for_long(settings: Any) -> None:
    assert settings.EMAIL_TIMEOUT < settings.CELERY_TASK_TIME_LIMIT


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


def test_a_question_that_was_not_sent_is_not_counted(guest: Client, settings: Any) -> None:
    working, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    notice.work()
    settings.EMAIL_BACKEND = working
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
    assert Client().get(choice).status_code == 404, "the link of the former address"
    assert deliver() == [], "a search asks at most once in five minutes, whomever"
    rested()
    assert [asked.to for asked in deliver()] == [["new@example.org"]]


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
