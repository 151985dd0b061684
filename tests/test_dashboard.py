"""The desk's first page: kept numbers instead of counted ones, plots as SVG with a table, cheap with many photos."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from galleries import metrics
from galleries.flows import dashboard, day
from galleries.models import Album, DayCount, Photo, User
from tests.conftest import PASSWORD, browser_of
from tests.pages import many_photos, read, text_of


@pytest.fixture
def desk(admin_user: User) -> Client:
    return browser_of(admin_user)


def count(name: str) -> int:
    return DayCount.objects.latest_of_each()[name].count


def test_what_there_is_is_summed_and_by_reason(album: Album) -> None:
    many_photos(album, 5)
    Photo.objects.update(face_count=3, preview_size=100)
    Photo.objects.filter(name__in=["0001.jpg", "0002.jpg"]).update(state="quarantined", code="decoder_fault")
    day.note_stock()
    assert [count(name) for name in ("photos", "faces", "bytes.previews", "albums", "users")] == [5, 15, 500, 1, 1]
    assert day.reasons(DayCount.objects.latest_of_each()) == [("decoder_fault", 2)]
    Photo.objects.update(state="ready", code="")
    day.note_stock()
    assert count("photos.ready") == 3
    DayCount.objects.update(noted_at=timezone.now() - timedelta(seconds=day.STOCK_SECONDS + 1))
    day.note_stock()
    assert count("photos.ready") == 5
    assert day.reasons(DayCount.objects.latest_of_each()) == []


def test_a_day_has_what_its_counters_gained_whatever_redis_lost(db: None) -> None:
    for reading in (100, 107, 107, 2):
        day.note_flow("uploads", reading)
    # 7, and 2 after the counter began anew; what was before the first reading is of no known day.
    assert count("uploads") == 9
    DayCount.objects.update(day=timezone.localdate() - timedelta(days=1))
    day.note_flow("uploads", 5)
    assert [row.count for row in DayCount.objects.order_by("day")] == [9, 3]


def test_every_flow_reads_measures_that_there_are() -> None:
    assert {measure for parts in day.FLOWS.values() for measure, _ in parts} <= metrics.MEASURES.keys()


def test_a_plot_has_a_bar_a_day_within_its_frame() -> None:
    today = timezone.localdate()
    counts = {today - timedelta(days=back): value for back, value in enumerate((0, 1, 1000))}
    bars = dashboard.plot("uploads", counts).bars
    assert [bar.height for bar in bars] == [0, 2, dashboard.HEIGHT]
    assert all(bar.y + bar.height == dashboard.HEIGHT for bar in bars)


def test_the_first_page_shows_the_numbers_and_every_plot_has_its_table(desk: Client, album: Album) -> None:
    many_photos(album, 4)
    day.note_stock()
    DayCount.objects.create(day=timezone.localdate(), name="searches", count=1234)
    answer = desk.get("/admin/")
    page = answer.content.decode()
    assert page.count("<svg class=") == page.count('<caption class="visually-hidden">') == 4
    assert "Searches today 1,234" in text_of(answer)
    assert "Photos 4" in text_of(answer)
    assert "Redis does not answer" in text_of(answer)
    assert read(page).inline == []


def test_the_first_page_costs_the_same_with_many_photos(
    desk: Client, album: Album, django_assert_max_num_queries: Any
) -> None:
    many_photos(album, 2_000)
    day.note_stock()
    with django_assert_max_num_queries(30) as asked:
        assert desk.get("/admin/").status_code == 200
    # What is asked of the photos is what waits, which an index names.
    photos = [each["sql"] for each in asked.captured_queries if 'FROM "galleries_photo"' in each["sql"]]
    assert len(photos) == 1
    assert "wanted_engine" in photos[0]


def test_staff_without_the_permission_have_the_desk_without_its_numbers(owner: User) -> None:
    clerk = User.objects.create_user("carl@example.org", PASSWORD, is_staff=True)
    assert "How the site is doing" not in text_of(browser_of(clerk).get("/admin/"))
    clerk.user_permissions.add(Permission.objects.get(codename="view_daycount"))
    assert "How the site is doing" in text_of(browser_of(clerk).get("/admin/"))
    assert browser_of(owner).get("/admin/").status_code == 302
