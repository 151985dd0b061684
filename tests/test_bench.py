"""`manage.py bench` with tiny sizes: the shape of what it writes, and that the two sides were really measured."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from galleries.management.commands.bench import ROWS
from galleries.models import Album
from tests import pictures

pytestmark = pytest.mark.django_db


def bench(out: Path, *words: str) -> list[dict[str, Any]]:
    call_command("bench", "--quick", "--json", str(out), *words)
    rows: list[dict[str, Any]] = json.loads(out.read_text())["rows"]
    return rows


def assert_sane(row: dict[str, Any]) -> None:
    assert set(row) == {"name", "ours", "other", "unit", "ratio"}
    assert row["ours"] > 0
    assert row["other"] > 0
    assert row["ratio"] == pytest.approx(row["other"] / row["ours"], rel=0.05, abs=0.002)


def test_every_row_is_measured_and_the_site_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On made photos, as on a machine without any."""
    monkeypatch.delenv("PIXORA_PHOTOS", raising=False)
    before, files = dict(os.environ), sorted(settings.PIXORA_DATA_DIR.rglob("*"))
    rows = bench(tmp_path / "out.json")
    assert [row["name"] for row in rows] == list(ROWS)
    for row in rows:
        assert_sane(row)
    assert dict(os.environ) == before
    assert sorted(settings.PIXORA_DATA_DIR.rglob("*")) == files
    assert not Album.objects.exists()
    assert "album_page_vs_static" in capsys.readouterr().out


def test_photos_of_a_folder_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below any number of folders, and none that is no photo or of another size."""
    photos = tmp_path / "photos" / "day 1"
    photos.mkdir(parents=True)
    (photos / "broken.jpg").write_bytes(pictures.html())
    (photos / "small.jpg").write_bytes(pictures.jpeg(pictures.faceless()))
    (row,) = bench(tmp_path / "out.json", "--only", "ingest_1600_vs_limit", "--photos", str(tmp_path / "photos"))
    assert row["name"] == "ingest_1600_vs_limit"
    assert_sane(row)


def test_a_wrong_word_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("bench", "--only", "everything")
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("bench", "--photos", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="no folder"):
        call_command("bench", "--json", str(tmp_path / "none" / "out.json"))


def test_growth_is_told_for_every_size_and_from_each_to_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "growth.json"
    call_command("bench", "growth", "--quick", "--json", str(out))
    figures = json.loads(out.read_text())["figures"]
    assert len({figure["name"] for figure in figures}) == len(figures) / 2
    for figure in figures:
        assert set(figure) == {"name", "unit", "sizes", "values", "factors"}
        assert len(figure["values"]) == len(figure["sizes"]) == len(figure["factors"]) + 1
        assert all(value > 0 for value in figure["values"])
    by_faces = next(figure for figure in figures if figure["name"] == "database")
    assert by_faces["factors"][0] == pytest.approx(by_faces["values"][1] / by_faces["values"][0], rel=0.01)
    assert "first_search, ms" in capsys.readouterr().out
    assert not Album.objects.exists()


def test_the_whole_site_is_loaded_and_every_figure_says_whether_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "load.json"
    call_command("bench", "load", "--quick", "--parts", "resumption", "burst", "--json", str(out))
    figures = {figure["name"]: figure for figure in json.loads(out.read_text())["figures"]}
    assert all(set(figure) == {"name", "value", "unit", "least", "most", "holds"} for figure in figures.values())
    assert figures["zip_resumed_whole"]["value"] == 3
    assert figures["burst_5xx"]["value"] == figures["new_guests_5xx"]["value"] == 0
    # Twelve may come in an hour, and more than forty do.
    assert figures["new_guests_429"]["value"] > 0
    assert all(figures[f"{name}_429_without_retry_after"]["holds"] for name in ("burst", "new_guests"))
    assert "zip_resumed_whole: 3 of 3 (at least 3: holds)" in capsys.readouterr().out
    assert not Album.objects.exists()
