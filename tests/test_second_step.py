"""The second step at sign-in: an app's code or a recovery code, each once; staff need it; an operator takes it off."""

import base64
import re
import time
from io import StringIO
from xml.etree import ElementTree

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.fernet import InvalidToken
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from galleries.models import Link, User, vault
from tests.conftest import PASSWORD, browser_of
from tests.pages import read, text_of

pytestmark = pytest.mark.django_db


def code_of(secret: str) -> str:
    """What an authenticator app that was given the secret shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def switched_on(client: Client) -> str:
    """Switch it on as its user would, and give the app's secret."""
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    drawn = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert drawn
    # Without its namespace a browser draws nothing.
    assert ElementTree.fromstring(base64.b64decode(drawn[1])).tag == "{http://www.w3.org/2000/svg}svg"
    found = re.search(r'id="totp-secret" value="([A-Z2-7]+)"', page)
    assert found
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_of(found[1])})
    assert answer["Location"] == reverse("mfa_view_recovery_codes")
    return found[1]


def signed_in(client: Client) -> bool:
    return client.get(reverse("albums")).status_code == 200


def give_password(client: Client, user: User) -> None:
    answer = client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert answer["Location"] == reverse("mfa_authenticate")


@pytest.fixture
def secret(desk: Client) -> str:
    return switched_on(desk)


def test_signing_in_wants_the_apps_code_and_takes_it_once(secret: str, owner: User) -> None:
    client, other = Client(), Client()
    for each in (client, other):
        give_password(each, owner)
        assert not signed_in(each), "a password alone opens nothing"
    assert "Incorrect code" in text_of(client.post(reverse("mfa_authenticate"), {"code": "000000"}))
    code = code_of(secret)
    client.post(reverse("mfa_authenticate"), {"code": code})
    other.post(reverse("mfa_authenticate"), {"code": code})
    assert (signed_in(client), signed_in(other)) == (True, False)


def test_a_recovery_code_works_once(secret: str, desk: Client, owner: User) -> None:
    codes = re.findall(r"<code>(\d{8})</code>", desk.get(reverse("mfa_view_recovery_codes")).content.decode())
    assert len(codes) == 10
    assert codes[0] in desk.get(reverse("mfa_download_recovery_codes")).content.decode()
    clients = [Client(), Client()]
    for client in clients:
        give_password(client, owner)
        client.post(reverse("mfa_authenticate"), {"code": codes[0]})
    assert [signed_in(client) for client in clients] == [True, False]


def test_codes_cannot_be_guessed_quickly(secret: str, owner: User) -> None:
    client = Client()
    give_password(client, owner)
    for _ in range(5):
        client.post(reverse("mfa_authenticate"), {"code": "000000"})
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert not signed_in(client)


def test_the_secret_lies_sealed(secret: str) -> None:
    stored = [str(row.data) for row in Authenticator.objects.all()]
    assert len(stored) == 2
    assert not any(secret in each for each in stored)


def test_its_pages_are_ours_without_anything_inline(secret: str, desk: Client, owner: User) -> None:
    waiting = Client()
    give_password(waiting, owner)
    pages = [waiting.get(reverse("mfa_authenticate"))]
    names = ("index", "reauthenticate", "deactivate_totp", "view_recovery_codes", "generate_recovery_codes")
    pages += [desk.get(reverse(f"mfa_{name}")) for name in names] + [desk.get(reverse("account_reauthenticate"))]
    for page in pages:
        assert page.status_code == 200
        reader = read(page.content.decode())
        assert (reader.inline, reader.unlabelled, reader.landmarks) == ([], [], ["main", "h1"])


def test_switching_it_off_wants_the_password_again(secret: str, owner: User) -> None:
    browser = browser_of(owner)
    answer = browser.post(reverse("mfa_deactivate_totp"))
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    browser.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.exists()


def test_staff_enter_the_administration_with_a_second_step_only(
    admin_user: User, owner: User, settings: Settings
) -> None:
    settings.PIXORA_STAFF_NEED_MFA = True
    ada, olga = browser_of(admin_user), browser_of(owner)
    for path in (reverse("admin:index"), reverse("admin:galleries_album_changelist")):
        answer = ada.get(path, follow=True)
        assert answer.redirect_chain[-1][0] == reverse("mfa_index")
        assert "wants a second step" in text_of(answer)
    assert olga.get(reverse("admin:index"), follow=True).status_code == 403
    switched_on(ada)
    assert ada.get(reverse("admin:index")).status_code == 200


def test_an_operator_takes_a_lost_second_step_off(secret: str, owner: User) -> None:
    out = StringIO()
    call_command("reset_second_step", owner.email.upper(), stdout=out)
    client = Client()
    client.post(reverse("account_login"), {"login": owner.email, "password": PASSWORD})
    assert signed_in(client)
    assert "password alone" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("reset_second_step", "nobody@example.org")


def test_printed_codes_and_second_steps_outlive_a_change_of_the_key(
    secret: str, owner: User, link: Link, settings: Settings
) -> None:
    token, old = link.token, settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key, as long as any other that guards", [old]
    assert Link.objects.get().token == token
    client = Client()
    give_password(client, owner)
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert signed_in(client)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(InvalidToken):
        Link.objects.get().token  # noqa: B018


def test_what_is_sealed_for_one_purpose_opens_for_no_other() -> None:
    with pytest.raises(InvalidToken):
        vault.unseal(vault.seal("a", b"one"), b"another")
