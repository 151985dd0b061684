"""Mail on its way out, to a real mail server: written down, sent once, tried again or given up, and forgotten."""

import re
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.cache import cache
from django.core.mail import BadHeaderError, EmailMessage, send_mail
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from galleries.flows import collaborator, invitation, letter, notice, upkeep
from galleries.flows import mail as mail_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, Choice, Link, Mail, ReturnLink, Selfie, Unsubscribed, User
from tests.conftest import PASSWORD, browser_of, search
from tests.mail_server import Post, serving
from tests.pages import text_of

pytestmark = pytest.mark.django_db
ADDRESS = "gina@example.org"


@pytest.fixture(autouse=True)
def a_site_with_mail(settings: Any) -> Iterator[None]:
    """Django's tests put a backend of their own in place of the site's."""
    settings.EMAIL_BACKEND = "galleries.flows.mail.Queue"
    settings.PIXORA_MAILS_GUESTS = True
    settings.PIXORA_PUBLIC_URL = "https://photos.example.org"
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def post(settings: Any) -> Iterator[Post]:
    post = Post()
    with serving(settings, post):
        yield post


def write(to: str = ADDRESS, subject: str = "Hello") -> Mail:
    send_mail(subject, "A secret", None, [to])
    return Mail.objects.get(recipient=to)


def rested() -> None:
    cache.clear()
    Mail.objects.waiting().update(due_at=timezone.now() - timedelta(seconds=1))


def now(mail: Mail) -> Mail:
    mail.refresh_from_db()
    return mail


def test_what_django_sends_is_written_down_sealed_and_sent_by_the_worker(post: Post) -> None:
    mail = write()
    assert post.connections == 0, "no request waits for a mail server"
    assert b"secret" not in bytes(mail.sealed)
    mail_flow.work()
    (taken,) = post.taken
    assert (taken["To"], taken["Subject"], taken.get_content().strip()) == (ADDRESS, "Hello", "A secret")
    mail = now(mail)
    assert mail.sent_at
    assert bytes(mail.sealed) == b"", "nothing is kept of what it said"
    mail_flow.work()
    assert len(post.taken) == 1


def test_what_is_rolled_back_sends_nothing(post: Post) -> None:
    with transaction.atomic():
        write()
        transaction.set_rollback(True)
    mail_flow.work()
    assert post.taken == []


def test_a_lost_redis_loses_no_mail(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Redis runs beside this test: the ring is lost, and the sweeper's is the next."""
    write()
    rung: list[str] = []
    monkeypatch.setattr(upkeep, "ring", lambda task: rung.append(task.name))
    upkeep.ring_for_due()
    assert rung == ["galleries.flows.mail.work"]
    mail_flow.work()
    assert len(post.taken) == 1


def test_many_go_over_one_connection(post: Post) -> None:
    for number in range(5):
        write(f"guest{number}@example.org")
    mail_flow.work()
    assert sorted(taken["To"] for taken in post.taken) == [f"guest{n}@example.org" for n in range(5)]
    assert post.connections == 1


def test_each_ring_works_for_a_while_only(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write(f"guest{number}@example.org")
    monkeypatch.setattr(mail_flow, "BATCH_SECONDS", 0)
    mail_flow.work()
    assert post.taken == []
    monkeypatch.undo()
    mail_flow.work()
    assert len(post.taken) == 3


def test_an_address_that_is_put_off_is_tried_again(post: Post) -> None:
    first, second = write(), write("other@example.org")
    post.to_address = [f"450 greylisted: {ADDRESS}"]
    mail_flow.work()
    assert [taken["To"] for taken in post.taken] == ["other@example.org"]
    first = now(first)
    assert (first.last_error, first.given_up_at, now(second).attempts) == ("450 greylisted: …", None, 1)
    mail_flow.work()
    assert len(post.taken) == 1, "it rests before it is tried again"
    rested()
    mail_flow.work()
    assert [taken["To"] for taken in post.taken] == ["other@example.org", ADDRESS]


def test_an_address_that_is_refused_is_given_up_with_the_reason(post: Post) -> None:
    first, _ = write(), write("other@example.org")
    post.to_address = [f"550 5.1.1 <{ADDRESS}>: no such user"]
    mail_flow.work()
    assert [taken["To"] for taken in post.taken] == ["other@example.org"]
    first = now(first)
    assert first.given_up_at
    assert first.last_error == "550 5.1.1 <…>: no such user"


def test_words_that_are_refused_are_given_up(post: Post) -> None:
    mail = write()
    post.to_data = ["554 this is spam"]
    mail_flow.work()
    assert now(mail).last_error == "554 this is spam"
    assert now(mail).given_up_at


def test_after_enough_tries_it_is_given_up_and_the_desk_sends_it_again(post: Post, admin_user: User) -> None:
    mail = write()
    post.to_data = ["451 not now"] * Mail.most_attempts()
    for _ in range(Mail.most_attempts()):
        rested()
        mail_flow.work()
    assert now(mail).given_up_at
    chosen = {"action": "send_again", "_selected_action": [str(mail.pk)]}
    listed = reverse("admin:galleries_mail_changelist")
    desk = browser_of(admin_user)
    page = text_of(desk.get(listed, {"state": "given_up"}))
    assert "451 not now" in page
    assert "1 mails will be tried again" in text_of(desk.post(listed, chosen, follow=True))
    mail_flow.work()
    assert [taken["To"] for taken in post.taken] == [ADDRESS]


def test_a_server_that_is_down_delays_mail_and_counts_no_attempt(settings: Any) -> None:
    post = Post()
    with serving(settings, post) as port:
        pass
    mail = write()
    mail_flow.work()
    assert (now(mail).attempts, now(mail).given_up_at) == (0, None)
    assert now(mail).last_error
    with serving(settings, post, port):
        mail_flow.work()
        assert post.connections == 0, "it is left alone for a minute"
        cache.clear()
        mail_flow.work()
    assert [taken["To"] for taken in post.taken] == [ADDRESS]


def test_a_server_that_says_nothing_holds_a_ring_no_longer_than_one_answer(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.PIXORA_MAIL_TRANSPORT = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
        settings.EMAIL_TIMEOUT = 0.1
        mails = [write(f"guest{number}@example.org") for number in range(50)]
        mail_flow.work()
        mail_flow.work()
        silent.settimeout(0)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert {now(mail).attempts for mail in mails} == {0}


def test_a_mail_takes_less_time_than_its_lease_and_its_task_have(settings: Any) -> None:
    assert settings.EMAIL_TIMEOUT * 4 < settings.CELERY_TASK_TIME_LIMIT


def test_a_server_that_hangs_up_in_the_middle_gets_the_same_mail_again(post: Post) -> None:
    first = write()
    post.to_data = ["hang up"]
    mail_flow.work()
    assert (now(first).attempts, now(first).sent_at) == (1, None)
    rested()
    mail_flow.work()
    assert len(post.taken) == 1


def test_a_worker_that_dies_after_sending_sends_the_same_once_more(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = write()

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as moment:
        moment.setattr(type(Mail.objects.all()), "mark_sent", die)
        with pytest.raises(Killed):
            mail_flow.work()
    mail_flow.work()
    assert len(post.taken) == 1, "its lease is another's"
    Mail.objects.filter(pk=mail.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    mail_flow.work()
    first, second = post.taken
    assert first["Message-ID"] == second["Message-ID"] == f"<{mail.pk}@localhost>"
    assert first["Date"] == second["Date"]


def test_a_mail_sealed_by_a_lost_key_is_given_up_and_holds_up_no_other(post: Post) -> None:
    lost, _ = write(), write("other@example.org")
    Mail.objects.filter(pk=lost.pk).update(sealed=b"of another key")
    mail_flow.work()
    assert now(lost).last_error == "InvalidToken"
    assert [taken["To"] for taken in post.taken] == ["other@example.org"]


def test_a_header_of_two_lines_is_told_to_whoever_wrote_it() -> None:
    with pytest.raises(BadHeaderError):
        EmailMessage("Hello\nBcc: all@example.org", "x", to=[ADDRESS]).send()
    assert not Mail.objects.exists()


@pytest.mark.parametrize(
    "title", ["Party\r\nBcc: all@example.org", "Party\u2028\x85\x0bBcc: all@example.org", "ü" * 120]
)
def test_an_albums_title_adds_no_header(post: Post, owner: User, other_owner: User, title: str) -> None:
    album = Album.objects.create(owner=owner, title=title)
    collaborator.add(album, other_owner.email, "viewer")
    mail_flow.work()
    (taken,) = post.taken
    assert taken["Bcc"] is None
    assert taken["To"] == other_owner.email
    assert "\n" not in taken["Subject"]
    assert taken["Subject"].strip().startswith("An album for you: ")


def test_a_collaborator_is_told_in_both_forms_and_may_stop_it_with_one_click(
    post: Post, owner: User, other_owner: User
) -> None:
    album = Album.objects.create(owner=owner, title="Summer & party")
    added = collaborator.add(album, other_owner.email, "viewer")
    mail_flow.work()
    (taken,) = post.taken
    text, html = (taken.get_body((form,)).get_content() for form in ("plain", "html"))  # type: ignore[union-attr]
    assert f"https://photos.example.org{reverse('album', args=[album.pk])}" in text
    assert "Summer &amp; party" in html
    assert taken["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    choice = taken["List-Unsubscribe"].strip(" <>").removeprefix("https://photos.example.org")
    assert "Stop these e-mails" in text_of(Client().get(choice))
    assert not Unsubscribed.objects.exists()
    Client(enforce_csrf_checks=True).post(choice, {"List-Unsubscribe": "One-Click"})
    collaborator.remove(added)
    collaborator.add(album, other_owner.email.upper(), "editor")
    mail_flow.work()
    assert len(post.taken) == 1
    assert other_owner.email not in str(Unsubscribed.objects.values())


def test_an_account_chooses_its_mails(owner: User, other_owner: User, settings: Any) -> None:
    desk, page = browser_of(other_owner), reverse("mail-settings")
    assert desk.get(page).content.decode().count(" checked") == 4
    assert desk.post(page, {"wanted": ["photos", "link", "invitation"]}, follow=True).status_code == 200
    album = Album.objects.create(owner=owner, title="Summer party")
    collaborator.remove(collaborator.add(album, other_owner.email, "viewer"))
    assert not Mail.objects.exists()
    # And after a change of the site's key.
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key that guards nothing"
    assert letter.wanted_by(other_owner) == ["photos", "link", "invitation"]
    letter.want(other_owner, ["shared"])
    collaborator.add(album, other_owner.email, "viewer")
    assert Mail.objects.get().kind == "shared"


def test_a_photographer_is_invited_in_the_language_of_who_invites(post: Post, admin_user: User) -> None:
    with translation.override("de"):
        _, token = invitation.invite("new@example.org", by=admin_user)
    mail_flow.work()
    (taken,) = post.taken
    assert "ada@example.org" in taken["Subject"]
    text = taken.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert f"https://photos.example.org{reverse('invited', args=[token])}" in text
    assert Mail.objects.get().language == "de"


def test_a_new_password_goes_by_the_queue_and_its_link_is_nowhere_in_the_database(post: Post, owner: User) -> None:
    Client().post(reverse("account_reset_password"), {"email": owner.email})
    mail_flow.work()
    (taken,) = post.taken
    text = taken.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    found = re.search(r"http://testserver(/\S+)", text)
    assert found
    assert "List-Unsubscribe" not in taken, "an account cannot do without it"
    assert found[1] in taken.get_body(("html",)).get_content()  # type: ignore[union-attr]
    page = Client().get(found[1], follow=True)
    assert "Choose a new password" in text_of(page) or page.status_code == 200
    assert b"reset" not in bytes(Mail.objects.get().sealed)


def test_signing_up_is_confirmed_by_mail_and_twice_is_told_by_mail(post: Post, settings: Any) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    for _ in range(2):
        Client().post(reverse("account_signup"), {"email": "nina@example.org", "password1": PASSWORD})
        # allauth writes to one address once in three minutes.
        cache.clear()
    mail_flow.work()
    assert [taken["Subject"] for taken in post.taken] == ["Is this your address?", "You have an account already"]
    text = post.taken[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    link = re.search(r"http://testserver(/\S+)", text)
    assert link
    Client().post(link[1])
    assert (
        Client().post(reverse("account_login"), {"login": "nina@example.org", "password": PASSWORD}).status_code == 302
    )


def asked(link: Link, address: str) -> Selfie:
    """A guest's search whose address is asked."""
    selfie = search(link, keep_me_posted="true").selfie
    notice.subscribe(selfie, address)
    notice.work()
    assert Mail.objects.get().recipient == address
    return selfie


def test_guests_mails_and_addresses_die_with_the_search_and_are_forgotten_once_sent(post: Post, link: Link) -> None:
    ends: list[Callable[[Selfie], Any]] = [
        lambda selfie: selfie.delete(),
        lambda selfie: selfie_flow.end(Selfie.objects.filter(pk=selfie.pk)),
    ]
    for number, end in enumerate(ends):
        end(asked(link, f"guest{number}@example.org"))
        assert not Mail.objects.exists()
    asked(link, ADDRESS)
    mail_flow.work()
    assert Mail.objects.get().recipient == ""
    assert len(post.taken) == 1


def devices(guest: Client, selfie: Selfie, address: str) -> Any:
    return guest.post(reverse("selfie-devices", args=[selfie.pk]), {"step": "mail", "email": address})


def test_a_guest_sends_themselves_a_link_for_another_device(post: Post, link: Link, settings: Any) -> None:
    found, phone = search(link), Client()
    phone.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    assert devices(phone, found.selfie, "no address").status_code == 400
    assert devices(phone, found.selfie, ADDRESS).status_code == 302
    mail_flow.work()
    (taken,) = post.taken
    text = taken.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "It works for 48 hours" in text
    way = re.search(r"https://photos\.example\.org(/r/\S+)", text)
    assert way
    assert Selfie.objects.get().email == ""
    assert Mail.objects.get().recipient == "", "the address is kept no longer than it takes"
    computer = Client()
    assert computer.post(way[1]).status_code == 302
    assert computer.get(reverse("selfie", args=[found.selfie.pk])).status_code == 200
    soon = ReturnLink.objects.get().expires_at - timezone.now()
    assert timedelta(hours=47) < soon < timedelta(hours=49)
    page = reverse("selfie-devices", args=[found.selfie.pk])
    assert "End these links" in text_of(phone.get(page))
    phone.post(page, {"step": "end-mailed"})
    assert Client().get(way[1]).status_code == 404
    assert "End these links" not in text_of(phone.get(page))
    Selfie.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    devices(phone, Selfie.objects.get(), "other@example.org")
    assert ReturnLink.objects.get().expires_at == Selfie.objects.get().expires_at, "and no longer than the search"


def test_nobody_floods_an_address_with_links(link: Link, settings: Any) -> None:
    found, phone = search(link), Client()
    phone.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    answers = [devices(phone, found.selfie, address) for address in (ADDRESS, ADDRESS.upper(), ADDRESS)]
    assert [answer.status_code for answer in answers] == [302, 302, 429]
    assert int(answers[2]["Retry-After"]) > 0
    many = [devices(phone, found.selfie, f"guest{number}@example.org").status_code for number in range(6)]
    assert many[-1] == 429
    before = Mail.objects.count()
    Choice.about("link", "stopped@example.org").stop()
    found, phone = search(link), Client()
    phone.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    assert devices(phone, found.selfie, "stopped@example.org").status_code == 302
    assert Mail.objects.count() == before
    settings.PIXORA_MAILS_GUESTS = False
    assert devices(phone, found.selfie, ADDRESS).status_code == 403


def test_the_desk_shows_no_words_and_no_guests_address(link: Link, admin_user: User) -> None:
    asked(link, ADDRESS)
    mail = Mail.objects.get()
    desk = browser_of(admin_user)
    for page in (reverse("admin:galleries_mail_changelist"), reverse("admin:galleries_mail_change", args=[mail.pk])):
        content = desk.get(page).content.decode()
        assert str(mail.pk) in content
        assert ADDRESS not in content
        assert "/m/" not in content
        assert "sealed" not in content


def test_old_rows_are_swept_and_what_waited_for_days_is_given_up(settings: Any) -> None:
    settings.PIXORA_MAIL_IS_LOCAL = False
    long_ago = timezone.now() - timedelta(days=31)
    Mail.objects.filter(pk=write("sent@example.org").pk).update(sent_at=long_ago, created_at=long_ago)
    Mail.objects.filter(pk=write("failed@example.org").pk).update(given_up_at=long_ago, created_at=long_ago)
    Mail.objects.filter(pk=write("shown@example.org").pk).update(sent_at=timezone.now())
    Mail.objects.filter(pk=write("late@example.org").pk).update(due_at=timezone.now() - timedelta(days=4))
    write()
    upkeep.drop_old()
    left = {mail.recipient: mail for mail in Mail.objects.all()}
    assert left.keys() == {"shown@example.org", "late@example.org", ADDRESS}
    assert left["late@example.org"].given_up_at
    assert bytes(left["shown@example.org"].sealed) == b"", "a mail server has come since"
    assert left[ADDRESS].given_up_at is None


def test_without_a_server_mail_is_shown_to_who_may_do_all_and_to_nobody_else(
    admin_user: User, owner: User, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    Client().post(reverse("account_reset_password"), {"email": owner.email})
    mail_flow.work()
    assert "It works once" in capsys.readouterr().out
    mail, desk = Mail.objects.get(), browser_of(admin_user)
    assert mail.sent_at
    assert "A new password for Pixora" in text_of(desk.get(reverse("mails")))
    shown = desk.get(reverse("mail-shown", args=[mail.pk]))
    assert "It works once" in text_of(shown)
    assert 'sandbox=""' in shown.content.decode()
    assert "sha256-" in shown["Content-Security-Policy"]
    owner.is_staff = True
    owner.save()
    for browser in (Client(), browser_of(owner)):
        assert browser.get(reverse("mails")).status_code == 404
        assert browser.get(reverse("mail-shown", args=[mail.pk])).status_code == 404
    settings.PIXORA_MAIL_IS_LOCAL = False
    assert desk.get(reverse("mails")).status_code == 404
    assert django_mail.outbox == []
