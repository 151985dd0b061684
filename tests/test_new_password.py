"""A forgotten password: a link by mail, once, in our words; that there is no account is told by mail, on no page."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from galleries.models import User
from tests.conftest import PASSWORD, browser_of
from tests.pages import read, text_of

pytestmark = pytest.mark.django_db
NEW = "an even longer new password"


def asked(client: Client, email: str, **more: Any) -> Any:
    mail.outbox = []
    return client.post(reverse("account_reset_password"), {"email": email}, follow=True, **more)


def link_in_mail() -> str:
    found = re.search(r"https?://testserver(/\S+)", str(mail.outbox[0].body))
    assert found, mail.outbox[0].body
    return found[1]


def test_a_link_by_mail_sets_a_new_password_once_and_ends_other_sessions(owner: User, desk: Client) -> None:
    client = Client()
    assert "Look into your mail" in text_of(asked(client, owner.email))
    assert mail.outbox[0].subject == "A new password for Pixora"
    link = link_in_mail()
    page = client.get(link, follow=True)
    form = page.redirect_chain[-1][0]
    assert link.rstrip("/").rpartition("-")[2] not in form, "the token is not in the address any more"
    assert read(page.content.decode()).inline == []
    done = client.post(form, {"password1": NEW, "password2": NEW}, follow=True)
    assert "Your password is set" in text_of(done)
    assert desk.get(reverse("albums")).status_code == 302, "signed out elsewhere"
    other = Client()
    assert other.post(reverse("account_login"), {"login": owner.email, "password": PASSWORD}).status_code == 200
    assert other.post(reverse("account_login"), {"login": owner.email, "password": NEW}).status_code == 302
    assert "This link has been used" in text_of(Client().get(link, follow=True))


def test_a_page_says_the_same_whether_there_is_an_account_or_not(owner: User) -> None:
    pages = [text_of(asked(Client(), email)) for email in (owner.email, "nobody@example.org")]
    assert pages[0] == pages[1]
    assert "There is none" in str(mail.outbox[0].body)
    assert owner.email not in str(mail.outbox[0].body)


def test_the_mail_speaks_the_readers_language(owner: User) -> None:
    asked(Client(), owner.email, headers={"accept-language": "de"})
    assert mail.outbox[0].subject == "Ein neues Passwort für Pixora"
    assert "Dieser Link" in str(mail.outbox[0].body)


def test_somebody_signed_in_may_ask_too(owner: User) -> None:
    assert asked(browser_of(owner), owner.email).status_code == 200
    assert len(mail.outbox) == 1
