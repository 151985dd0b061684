"""Ending an account on its page; the API's way, and what is deleted, stand in test_api_more."""

import pytest
from django.test import Client
from django.urls import reverse

from galleries.models import Album, User
from tests.conftest import PASSWORD, browser_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_account_is_ended_by_its_password_and_its_browser_is_signed_out(album: Album, desk: Client) -> None:
    address = reverse("account-close")
    assert address in desk.get(reverse("account_email")).content.decode()
    refused = desk.post(address, {"password": "a guess"})
    assert "This is not your password." in refused.content.decode()
    assert Album.objects.exists()
    ended = desk.post(address, {"password": PASSWORD}, follow=True)
    assert "Your account has been ended" in ended.content.decode()
    assert not User.objects.exists()
    assert desk.get(reverse("albums")).status_code == 302


def test_an_administrator_is_told_why_not(admin_user: User) -> None:
    browser = browser_of(admin_user)
    assert reverse("account-close") not in browser.get(reverse("account_email")).content.decode()
    said = browser.post(reverse("account-close"), {"password": PASSWORD}).content.decode()
    assert "another administrator" in said
    assert User.objects.exists()
