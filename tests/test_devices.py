"""A guest on more than one device: a return address, a new key, and a shared tablet that forgets."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from galleries.flows import device
from galleries.models import Album, Guest, GuestKey, Link, ReturnLink, Selfie, User
from pixora_site.masking import mask
from tests.conftest import Found, browser_of, ready_photo, search
from tests.pages import browser_with, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(searchable: Album, link: Link) -> Found:
    ready_photo(searchable)
    return search(link)


def lent_address(found: Found) -> str:
    answer = browser_with(found).post(reverse("selfie-devices", args=[found.selfie.pk]), {"step": "make"})
    page = answer.content.decode()
    assert 'src="data:image/svg+xml' in page
    address = re.search(r'value="http://testserver(/r/[^"]+)"', page)
    assert address
    return address[1]


def gallery(found: Found) -> str:
    return reverse("selfie", args=[found.selfie.pk])


def test_a_return_address_opens_the_search_on_another_device_by_one_button(found: Found) -> None:
    address, other = lent_address(found), Client()
    assert "Show my photos here" in text_of(other.get(address))
    assert settings.PIXORA_GUEST_COOKIE not in other.cookies, "looking leaves no trace"
    answer = other.post(address)
    assert answer["Location"] == gallery(found), "the token is not in the address any more"
    assert "1 photo of you" in text_of(other.get(gallery(found)))
    assert "1 photo of you" in text_of(browser_with(found).get(gallery(found))), "the first device stays"
    assert other.get(address)["Location"] == gallery(found)


def test_the_token_is_kept_as_a_hash_and_never_logged(found: Found) -> None:
    token = lent_address(found).split("/")[2]
    assert token not in str(list(ReturnLink.objects.values_list()))
    assert token not in mask(f'"GET /r/{token}/ HTTP/1.1" 200')
    page = browser_with(found).get(reverse("selfie-devices", args=[found.selfie.pk]))
    assert token not in page.content.decode(), "it is shown once"


def test_a_newer_address_ends_the_one_before_and_ending_it_leads_nowhere(found: Found) -> None:
    first, second = lent_address(found), lent_address(found)
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200
    browser_with(found).post(reverse("selfie-devices", args=[found.selfie.pk]), {"step": "end"})
    assert Client().post(second).status_code == 404


@pytest.mark.parametrize("ended", ["link", "search", "withdrawn", "address"])
def test_an_address_ends_with_what_it_leads_to(found: Found, ended: str) -> None:
    address, past = lent_address(found), timezone.now() - timedelta(seconds=1)
    if ended == "link":
        Link.objects.update(enabled=False)
    elif ended == "search":
        Selfie.objects.update(expires_at=past)
    elif ended == "address":
        ReturnLink.objects.update(expires_at=past)
    else:
        browser_with(found).post(reverse("selfie-withdraw", args=[found.selfie.pk]), {"confirmed": "yes"})
    assert Client().get(address).status_code == 404
    assert Client().post(address).status_code == 404


def test_a_shared_tablet_forgets_its_guest_and_the_address_leads_back(found: Found) -> None:
    address, tablet = lent_address(found), browser_with(found)
    answer = tablet.post(reverse("selfie-devices", args=[found.selfie.pk]), {"step": "leave"}, follow=True)
    assert "forgotten you" in text_of(answer)
    assert tablet.get(gallery(found)).status_code == 404
    assert browser_with(found).get(gallery(found)).status_code == 404, "the key is gone, not the cookie alone"
    assert Selfie.objects.exists()
    tablet.post(address)
    assert tablet.get(gallery(found)).status_code == 200


def test_a_guest_closes_all_devices_but_their_own(found: Found) -> None:
    address, other = lent_address(found), Client()
    other.post(address)
    browser = browser_with(found)
    devices = reverse("selfie-devices", args=[found.selfie.pk])
    assert "open on 2 devices" in text_of(browser.get(devices))
    browser.post(devices, {"step": "others"})
    assert browser.get(gallery(found)).status_code == 200
    assert other.get(gallery(found)).status_code == 404
    assert Client().get(address).status_code == 404
    assert GuestKey.objects.count() == 1


def test_what_is_kept_with_an_account_is_reached_by_signing_in_alone(found: Found, other_owner: User) -> None:
    address, browser = lent_address(found), browser_with(found)
    browser.force_login(other_owner)
    assert "Keep the photos found on this device" in text_of(browser.get(reverse("my-photos")))
    assert Client().get(address).status_code == 200, "signing in alone takes nothing over"
    browser.post(reverse("my-photos"), {"step": "keep"})
    assert "Keep the photos" not in text_of(browser.get(reverse("my-photos")))
    assert Client().get(address).status_code == 404
    devices = reverse("selfie-devices", args=[found.selfie.pk])
    assert "Sign in on the other device" in text_of(browser.get(devices))
    assert browser.post(devices, {"step": "make"}).status_code == 403


def test_a_lent_address_gives_the_guest_to_no_account_of_whoever_opens_it(found: Found, other_owner: User) -> None:
    address, helper, phone = lent_address(found), browser_of(other_owner), browser_with(found)
    assert "1 photo of you" in text_of(helper.post(address, follow=True))
    assert phone.get(gallery(found)).status_code == 200, "the guest's own device is not shut out"
    helper.post(reverse("my-photos"), {"step": "keep"})
    phone.force_login(User.objects.create_user("gina@example.org"))
    phone.post(reverse("my-photos"), {"step": "keep"})
    assert phone.get(gallery(found)).status_code == 200
    assert helper.get(gallery(found)).status_code == 404, "an account of their own keeps it"


def test_whoever_signs_in_first_on_a_shared_phone_is_asked_and_takes_nothing_over(
    found: Found, owner: User, other_owner: User
) -> None:
    phone = browser_with(found)
    phone.force_login(other_owner)
    for path in (gallery(found), reverse("albums"), reverse("my-photos")):
        phone.get(path)
    assert Guest.objects.get().user is None
    phone.post(reverse("my-photos"), {"step": "not-mine"})
    assert "Keep the photos" not in text_of(phone.get(reverse("my-photos"))), "asked once"
    phone.logout()
    phone.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    assert phone.get(gallery(found)).status_code == 200, "whoever found them has them still"
    phone.force_login(owner)
    assert "Keep the photos" in text_of(phone.get(reverse("my-photos")))
    phone.post(reverse("my-photos"), {"step": "keep"})
    assert Guest.objects.get().user == owner
    other = browser_of(other_owner)
    other.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    other.post(reverse("my-photos"), {"step": "keep"})
    assert Guest.objects.get().user == owner, "kept once, it is nobody else's to take"


def test_forgetting_no_key_forgets_nobody(found: Found) -> None:
    device.forget("")
    assert GuestKey.objects.count() == 1
