"""The administrator's desk: every model there, for staff only, quick with many rows, acting through the journeys."""

import html
import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models.signals import pre_save
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from galleries import storage
from galleries.flows import album as album_flow
from galleries.models import (
    Album,
    Alert,
    ArchiveSection,
    AskedAddress,
    DayCount,
    Deed,
    EmbeddingBlock,
    Erasure,
    Face,
    Grouping,
    Guesses,
    Guest,
    GuestKey,
    GuestSearches,
    IdempotencyKey,
    LegalBasis,
    Link,
    Mail,
    Match,
    NewGuests,
    OwnerSearches,
    Person,
    Photo,
    ReturnLink,
    SearchRecord,
    Selfie,
    Sighting,
    SoughtPerson,
    Unsubscribed,
    Usage,
    User,
    Visit,
)
from tests import pictures
from tests.conftest import PASSWORD, add, browser_of, ready_photo, search, work_off
from tests.pages import many_photos, text_of

REGISTERED = [model for model in admin.site._registry if model._meta.app_label == "galleries"]
# Rows of another row, shown with it or, as vectors, to nobody.
WITHIN_OTHERS = {LegalBasis, Face, NewGuests, ArchiveSection, EmbeddingBlock, GuestKey, Match, ReturnLink, Usage, Visit}
# What is counted, watched and kept for a day, for the owner of an album or for nobody.
WITHIN_OTHERS |= {Alert, AskedAddress, DayCount, Guesses, GuestSearches, IdempotencyKey, OwnerSearches, SearchRecord}
# Whom a photographer sees in an album is their business.
WITHIN_OTHERS |= {Grouping, Person, Sighting, SoughtPerson}
# Who wants no mails is a hash.
WITHIN_OTHERS |= {Unsubscribed}


@pytest.fixture
def desk(admin_user: User) -> Client:
    return browser_of(admin_user)


@pytest.fixture
def some_of_all(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    add(searchable, pictures.html(), "page.jpg")
    found = search(link)
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json")


def changelist(model: Any) -> str:
    return reverse(f"admin:galleries_{model._meta.model_name}_changelist")


def test_every_model_is_registered() -> None:
    assert set(REGISTERED) | WITHIN_OTHERS == set(apps.get_app_config("galleries").get_models())


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_lists_and_rows_open_and_can_be_searched(desk: Client, some_of_all: None, model: Any) -> None:
    assert desk.get(changelist(model), follow=True).status_code == 200
    assert desk.get(changelist(model), {"q": "olga"}, follow=True).status_code == 200
    for row in model.objects.all():
        page = desk.get(reverse(f"admin:galleries_{model._meta.model_name}_change", args=[row.pk]))
        assert page.status_code == 200
        assert "token_sealed" not in page.content.decode()


def test_only_staff_come_in(owner: User, desk: Client) -> None:
    for client in (Client(), browser_of(owner)):
        for model in REGISTERED:
            answer = client.get(changelist(model))
            assert answer.status_code in (302, 403)
            assert b"olga@example.org" not in answer.content
    assert desk.get("/admin/").status_code == 200


@pytest.fixture
def looking(db: None) -> Client:
    """Staff who may look at everything, and do nothing."""
    user = User.objects.create_user("carl@example.org", PASSWORD, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    return browser_of(user)


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_a_list_is_asked_only_what_it_offers(rf: RequestFactory, model: Any) -> None:
    site, request = admin.site.get_model_admin(model), rf.get("/")
    filters = [each[0] if isinstance(each, tuple) else each for each in site.get_list_filter(request)]
    offered = {each for each in (*filters, site.date_hierarchy) if isinstance(each, str)}
    offered |= {each.parameter_name for each in filters if hasattr(each, "parameter_name")}
    others = {field.name for field in model._meta.get_fields()} - offered
    endings = ("", "__startswith", "__gte", "__exact", "__password__gte", "__password__startswith")
    asked = [name + ending for name in others for ending in endings]
    asked += [name + ending for name in offered for ending in ("__startswith", "__contains", "__password__gte")]
    allowed = {lookup for lookup in asked if site.lookup_allowed(lookup, "a", request)}
    # Asked by the desk's own links, of what the list shows.
    assert allowed <= ({"kind__exact", "thing__exact"} if model is Deed else set())


@pytest.mark.parametrize(
    "asked",
    [
        "webhook/?url__startswith=https://hooks.example.org/S",
        "webhook/?owner__password__startswith=a",
        "selfie/?email__startswith=b",
        "mail/?recipient__startswith=b",
        "link/?password_hash__startswith=a",
        "user/?password__startswith=a",
    ],
)
def test_no_number_of_rows_tells_a_secret(looking: Client, asked: str) -> None:
    assert looking.get(f"/admin/galleries/{asked}").status_code == 400


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_what_a_list_offers_it_answers(desk: Client, some_of_all: None, model: Any) -> None:
    page: Any = desk.get(changelist(model), follow=True)
    rows = page.context_data.get("cl")
    offered = {choice["query_string"] for spec in rows.filter_specs for choice in spec.choices(rows)} if rows else set()
    offered |= {html.unescape(each) for each in re.findall(r'href="(\?created_at__[^"]+)"', page.content.decode())}
    for asked in offered:
        assert desk.get(changelist(model) + asked).status_code == 200, asked


def rows_of(client: Client, model: Any, **asked: Any) -> list[Any]:
    page: Any = client.get(changelist(model), asked)
    return list(page.context_data["cl"].result_list)


def test_the_desk_s_own_links_are_answered(desk: Client, some_of_all: None) -> None:
    photo = Photo.objects.filter(state="ready").get()
    assert photo in rows_of(desk, Photo, album__id__exact=photo.album_id)
    history = reverse("admin:galleries_album_history", args=[photo.album_id])
    assert desk.get(history, follow=True).status_code == 200


def guest_s_and_others_mails(link: Link) -> list[Mail]:
    """Of a, b and c, the second a guest's."""
    ready_photo(link.album)
    whose = {"anna": None, "bride": search(link).selfie, "carl": None}
    return [Mail.objects.create(recipient=f"{name}@example.org", selfie=of) for name, of in whose.items()]


def test_a_guest_s_address_is_not_to_be_looked_for(looking: Client, searchable: Album, link: Link) -> None:
    annas, brides, carls = guest_s_and_others_mails(link)
    assert rows_of(looking, Mail, q="bride@example.org") == []
    assert rows_of(looking, Mail, q="example.org") == [carls, annas]
    assert rows_of(looking, Mail, q=brides.pk) == [brides]


def test_the_order_of_mails_tells_no_guest_s_address(looking: Client, searchable: Album, link: Link) -> None:
    annas, brides, carls = guest_s_and_others_mails(link)
    assert rows_of(looking, Mail, o="1") == [brides, annas, carls]


@pytest.mark.parametrize("model", [Photo, Album], ids=lambda model: model.__name__)
def test_a_long_list_takes_as_many_queries_as_a_short_one(desk: Client, owner: User, model: Any) -> None:
    counts = []
    for rows in (3, 30):
        for _ in range(rows):
            add(Album.objects.create(owner=owner, title="A"), pictures.jpeg(pictures.quadrants()))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert desk.get(changelist(model)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def act(desk: Client, model: Any, action: str, rows: Any) -> Any:
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows], "post": "yes"}
    return desk.post(changelist(model), body, follow=True)


def test_photos_deleted_here_take_their_files_with_them(desk: Client, searchable: Album) -> None:
    photo = ready_photo(searchable)
    assert act(desk, Photo, "delete_selected", [photo]).status_code == 200
    assert not Photo.objects.exists()
    assert not any(storage.exists(key) for key in photo.stored_keys())


def waiting_search(link: Link) -> Selfie:
    """A search whose picture is still on the disk."""
    selfie = search(link).selfie
    storage.write(selfie.scratch_key, b"a picture of a face")
    return selfie


@pytest.mark.parametrize("at_once", [True, False], ids=["selected", "one"])
@pytest.mark.parametrize("model", [User, Album, Photo, Link, Guest, Selfie], ids=lambda model: model.__name__)
def test_whatever_is_deleted_here_takes_its_files_with_it(
    desk: Client, owner: User, searchable: Album, link: Link, model: Any, at_once: bool
) -> None:
    photo, selfie = ready_photo(searchable), waiting_search(link)
    rows = {User: owner, Album: searchable, Photo: photo, Link: link, Guest: selfie.guest, Selfie: selfie}
    row = rows[model]
    if at_once:
        act(desk, model, "delete_selected", [row])
    else:
        desk.post(reverse(f"admin:galleries_{model._meta.model_name}_delete", args=[row.pk]), {"post": "yes"})
    assert not model.objects.filter(pk=row.pk).exists()
    assert [storage.exists(key) for key in photo.stored_keys()] == [Photo.objects.exists()] * 3
    assert storage.exists(selfie.scratch_key) == Selfie.objects.exists() == (model is Photo)
    assert not Erasure.objects.exists()


def test_a_deleted_user_takes_their_searches_in_others_albums_along(desk: Client, link: Link) -> None:
    selfie = waiting_search(link)
    guest = User.objects.create_user("gina@example.org", PASSWORD)
    Guest.objects.update(user=guest)
    act(desk, User, "delete_selected", [guest])
    assert not Guest.objects.exists()
    assert not Selfie.objects.exists()
    assert not storage.exists(selfie.scratch_key)


def test_an_erasure_cannot_be_called_off(desk: Client) -> None:
    storage.write("originals/x/y.jpg", b"x")
    erasure = Erasure.objects.create(keys=["originals/x/y.jpg"])
    assert desk.post(reverse("admin:galleries_erasure_delete", args=[erasure.pk]), {"post": "yes"}).status_code == 403
    assert Erasure.objects.exists()


@pytest.mark.parametrize("model", [User, Album, Photo], ids=lambda model: model.__name__)
def test_asking_before_a_deletion_counts_and_loads_no_rows(
    desk: Client, owner: User, album: Album, model: Any, django_assert_max_num_queries: Any
) -> None:
    many_photos(album, 1_500)
    one: Any = {User: owner, Album: album, Photo: album.photos.first()}[model]
    with django_assert_max_num_queries(20):
        page = desk.get(reverse(f"admin:galleries_{model._meta.model_name}_delete", args=[one.pk]))
    assert ("Photos: 1500" in text_of(page)) == (model is not Photo)
    assert "0001.jpg" not in text_of(page)
    chosen = {"action": "delete_selected", "_selected_action": [str(one.pk)], "select_across": "1"}
    page = desk.post(changelist(model), chosen)
    assert "Photos: 1500" in text_of(page)
    assert text_of(page).count(".jpg") == (20 if model is Photo else 0)


def test_deleting_wants_permission_for_what_goes_along(desk: Client, owner: User, album: Album) -> None:
    add(album, pictures.jpeg(pictures.quadrants()))
    clerk = User.objects.create_user("carl@example.org", PASSWORD, is_staff=True)
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=["delete_album", "view_album"]))
    address = reverse("admin:galleries_album_delete", args=[album.pk])
    assert browser_of(clerk).post(address, {"post": "yes"}).status_code == 403
    assert Photo.objects.exists()


def test_saving_an_album_here_writes_only_what_was_changed(desk: Client, searchable: Album) -> None:
    """Its owner switches face search off, and a file comes again, while the form is open."""

    def meanwhile(sender: Any, instance: Album, **_: Any) -> None:
        Album.objects.update(face_search=False, engine="", duplicates=7)

    inline = {"legal_bases-TOTAL_FORMS": "0", "legal_bases-INITIAL_FORMS": "0"}
    fields = {
        "title": "A new title",
        "owner": str(searchable.owner_id),
        "event_date": "",
        "persons_a_guest": "1",
        **inline,
    }
    pre_save.connect(meanwhile, sender=Album)
    try:
        answer = desk.post(reverse("admin:galleries_album_change", args=[searchable.pk]), fields)
    finally:
        pre_save.disconnect(meanwhile, sender=Album)
    assert answer.status_code == 302
    searchable.refresh_from_db()
    assert (searchable.title, searchable.face_search, searchable.duplicates) == ("A new title", False, 7)


def test_the_form_of_an_album_lists_no_photos(desk: Client, album: Album) -> None:
    many_photos(album, 3)
    album_flow.choose_cover(album, album.photos.get(name="0001.jpg"))
    page = desk.get(reverse("admin:galleries_album_change", args=[album.pk])).content.decode()
    assert ["0000.jpg" in page, "0001.jpg" in page, "0002.jpg" in page] == [False, True, False]


def test_quarantined_photos_are_retried_and_links_switched_off(desk: Client, album: Album) -> None:
    photo, link = add(album, pictures.jpeg(pictures.quadrants())).photo, Link.make(album)
    Photo.objects.update(state="quarantined")
    assert "1 photos will be tried again" in act(desk, Photo, "retry", [photo]).content.decode()
    work_off()
    photo.refresh_from_db()
    assert photo.state == "ready"
    act(desk, Link, "switch_off", [link])
    assert not Link.objects.get().is_open()


def test_what_people_do_cannot_be_written_by_hand(desk: Client, some_of_all: None) -> None:
    photo = Photo.objects.first()
    assert photo is not None
    address = reverse("admin:galleries_photo_change", args=[photo.pk])
    assert desk.post(address, {"state": "ready", "sha256": "0" * 64}).status_code == 403
    assert desk.get(reverse("admin:galleries_photo_add")).status_code == 403


def test_the_list_of_albums_tells_how_far_a_move_to_another_engine_is(desk: Client, searchable: Album) -> None:
    ready_photo(searchable)
    ready_photo(searchable, pictures.jpeg(pictures.faceless()), "b.jpg")
    Album.objects.update(next_engine="another+engine@1")
    EmbeddingBlock.objects.filter(photo__name="b.jpg").update(engine="another+engine@1")
    assert "1 / 2" in desk.get(changelist(Album)).content.decode()
