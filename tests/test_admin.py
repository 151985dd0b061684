"""The administrator's desk: every model there, for staff only, quick with many rows, acting through the journeys."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from galleries import storage
from galleries.models import Album, EmbeddingBlock, Face, LegalBasis, Link, Match, Photo, User, Visit
from tests import pictures
from tests.conftest import add, browser_of, ready_photo, search, work_off

REGISTERED = [model for model in admin.site._registry if model._meta.app_label == "galleries"]
# Rows of another row, shown with it or, as vectors, to nobody.
WITHIN_OTHERS = {LegalBasis, Face, EmbeddingBlock, Match, Visit}


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
    assert desk.get(changelist(model)).status_code == 200
    assert desk.get(changelist(model), {"q": "olga"}).status_code == 200
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
