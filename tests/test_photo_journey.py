"""Journey one over HTTP, on the real engine: what is uploaded, what becomes of it, and what bad files get."""

import resource
from typing import Any

import pytest
from rest_framework.test import APIClient

from galleries import storage
from galleries.flows import album as album_flow
from galleries.flows import photo as photo_flow
from galleries.models import Album, EmbeddingBlock, Erasure, Face, Photo
from recognition import engine
from tests import pictures
from tests.conftest import add, ready_photo, upload, work_off


def progress_of(client: APIClient, album: Album) -> dict[str, int]:
    numbers: dict[str, int] = client.get(f"/api/v1/albums/{album.pk}/progress/").json()
    parts = ("duplicate", "uploaded", "processing", "ready", "rejected", "quarantined")
    assert numbers["received"] == sum(numbers[part] for part in parts)
    return numbers


def test_a_portrait_becomes_a_ready_photo_with_one_face_and_its_vector(searchable: Album, owner_api: APIClient) -> None:
    data = pictures.jpeg(pictures.portrait())
    answer = upload(owner_api, searchable.pk, [("me.jpg", data)], path="Ceremony/outside/me.jpg")
    assert answer.status_code == 201
    assert [each["state"] for each in answer.json()["accepted"]] == ["uploaded"]
    work_off()
    photo = Photo.objects.get()
    assert (photo.state, photo.folder, photo.face_count) == ("ready", "Ceremony/outside", 1)
    assert storage.read(photo.original_key) == data
    block = EmbeddingBlock.objects.get(photo=photo)
    assert (block.engine, block.count) == (engine().name, 1)
    assert len(block.vectors) == 4 * engine().dimension
    assert progress_of(owner_api, searchable) == {
        "received": 1, "duplicate": 0, "uploaded": 0, "processing": 0, "ready": 1, "rejected": 0, "quarantined": 0,
        "faces": 1,
    }  # fmt: skip


def test_without_face_search_no_face_is_looked_for(album: Album) -> None:
    photo = ready_photo(album)
    assert photo.state == "ready"
    assert not Face.objects.exists()
    assert not EmbeddingBlock.objects.exists()


BAD_FILES = {
    "cut.jpg": (pictures.truncated_jpeg, "damaged"),
    "page.jpg": (pictures.html, "not_a_photo"),
    "empty.jpg": (lambda: b"", "empty_file"),
    "bomb.png": (pictures.png_bomb, "too_many_pixels"),
    "film.gif": (pictures.gif, "unsupported_format"),
}


def test_bad_files_are_rejected_with_their_reason_and_their_neighbours_go_on(
    searchable: Album, owner_api: APIClient
) -> None:
    good = pictures.jpeg(pictures.portrait())
    files = [(name, make()) for name, (make, _) in BAD_FILES.items()]
    answer = upload(owner_api, searchable.pk, [*files, ("good.jpg", good)])
    assert answer.status_code == 201
    work_off()
    states = dict(searchable.photos.values_list("name", "state"))
    assert states == dict.fromkeys(BAD_FILES, "rejected") | {"good.jpg": "ready"}
    codes = dict(searchable.photos.filter(state="rejected").values_list("name", "code"))
    assert codes == {name: code for name, (_, code) in BAD_FILES.items()}
    assert all(searchable.photos.filter(state="rejected").values_list("detail", flat=True))
    numbers = progress_of(owner_api, searchable)
    assert (numbers["received"], numbers["ready"], numbers["rejected"]) == (6, 1, 5)


def test_a_request_whose_every_file_is_bad_is_still_answered_201(album: Album, owner_api: APIClient) -> None:
    answer = upload(owner_api, album.pk, [("page.jpg", pictures.html()), ("bomb.png", pictures.png_bomb())])
    assert answer.status_code == 201
    assert [each["code"] for each in answer.json()["rejected"]] == ["not_a_photo", "too_many_pixels"]
    assert progress_of(owner_api, album)["rejected"] == 2


def test_a_bomb_is_refused_from_its_header_with_flat_memory(album: Album) -> None:
    add(album, pictures.jpeg(pictures.faceless()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reception = add(album, pictures.png_bomb(), "bomb.png")
    grown_megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert reception.photo.code == "too_many_pixels"
    # Decoded it would take 2,700 MB.
    assert grown_megabytes < 20


ODD_FILES = {
    "cmyk.jpg": lambda: pictures.cmyk_jpeg(pictures.portrait()),
    "deep.png": lambda: pictures.sixteen_bit_png(pictures.portrait()),
    "palette.png": pictures.palette_alpha_png,
    "pixel.png": pictures.one_pixel_png,
    "photo.webp": lambda: pictures.webp(pictures.portrait()),
    "photo.heic": lambda: pictures.heic(pictures.portrait()),
}


def test_odd_but_sound_files_become_ready(searchable: Album, owner_api: APIClient) -> None:
    answer = upload(owner_api, searchable.pk, [(name, make()) for name, make in ODD_FILES.items()])
    assert len(answer.json()["accepted"]) == len(ODD_FILES)
    work_off()
    assert dict(searchable.photos.values_list("name", "state")) == dict.fromkeys(ODD_FILES, "ready")
    with_face = {"cmyk.jpg", "deep.png", "photo.webp", "photo.heic"}
    assert set(searchable.photos.filter(face_count=1).values_list("name", flat=True)) == with_face


@pytest.mark.parametrize("orientation", range(1, 9))
def test_whichever_way_the_camera_was_held_the_face_is_found_upright(searchable: Album, orientation: int) -> None:
    photo = ready_photo(searchable, pictures.oriented_jpeg(pictures.portrait(), orientation))
    face = Face.objects.get(photo=photo)
    # Where it is in the upright astronaut.
    assert face.x + face.width / 2 == pytest.approx(0.44, abs=0.05)
    assert face.y + face.height / 2 == pytest.approx(0.23, abs=0.06)


HOSTILE_NAMES = {
    "../../etc/passwd.jpg": "passwd.jpg",
    "..\\..\\windows\\system.jpg": "system.jpg",
    "nul\0l.jpg": "null.jpg",
    "party 🎉.jpg": "party 🎉.jpg",
    "evil\u202egpj.exe.jpg": "evilgpj.exe.jpg",
    "n" * 300 + ".jpg": "n" * 196 + ".jpg",
}


@pytest.mark.parametrize(("sent", "kept"), HOSTILE_NAMES.items())
def test_a_hostile_name_is_kept_as_a_harmless_one(album: Album, owner_api: APIClient, sent: str, kept: str) -> None:
    answer = upload(owner_api, album.pk, [(sent, pictures.jpeg(pictures.quadrants()))])
    assert answer.status_code == 201
    assert [each["name"] for each in answer.json()["accepted"]] == [kept]


def test_two_files_of_one_name_are_two_photos(album: Album, owner_api: APIClient) -> None:
    files = [("a.jpg", pictures.jpeg(pictures.faceless())), ("a.jpg", pictures.jpeg(pictures.quadrants()))]
    assert len(upload(owner_api, album.pk, files).json()["accepted"]) == 2


def test_the_same_file_again_is_a_duplicate_and_counted(album: Album, owner_api: APIClient) -> None:
    data = pictures.jpeg(pictures.quadrants())
    first = upload(owner_api, album.pk, [("a.jpg", data)]).json()["accepted"][0]
    again = upload(owner_api, album.pk, [("b.jpg", data), ("page.jpg", pictures.html())]).json()
    assert again["duplicates"] == [{"id": first["id"], "name": "b.jpg"}]
    assert upload(owner_api, album.pk, [("page.jpg", pictures.html())]).json()["rejected"][0]["code"] == "not_a_photo"
    numbers = progress_of(owner_api, album)
    assert (numbers["received"], numbers["duplicate"], numbers["rejected"]) == (4, 2, 1)


def test_a_file_beyond_the_limit_is_refused_without_being_kept(
    album: Album, owner_api: APIClient, settings: Any
) -> None:
    settings.PIXORA_MAX_FILE_BYTES = 5_000
    answer = upload(owner_api, album.pk, [("big.jpg", pictures.jpeg(pictures.portrait()))])
    assert answer.json()["rejected"][0]["code"] == "file_too_large"
    assert not list((storage.path("x").parent / "incoming").glob("*"))
    settings.PIXORA_MAX_FILE_BYTES = 60_000_000
    assert len(upload(owner_api, album.pk, [("big.jpg", pictures.jpeg(pictures.portrait()))]).json()["accepted"]) == 1


def test_check_tells_what_is_missing_from_what_is_there(album: Album, owner_api: APIClient) -> None:
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo
    refused = add(album, pictures.html(), "page.jpg").photo
    hashes = [photo.sha256, refused.sha256, "0" * 64]
    files = [{"name": "n", "size": 1, "sha256": each} for each in hashes]
    answer = owner_api.post(f"/api/v1/albums/{album.pk}/photos/check/", {"files": files}, format="json")
    assert answer.json() == {"missing": hashes[1:], "duplicate": [photo.sha256], "same_name": [], "over_quota": []}


def test_switching_face_search_on_indexes_what_is_there_and_off_forgets_it(album: Album, owner_api: APIClient) -> None:
    photo = ready_photo(album)
    address = f"/api/v1/albums/{album.pk}/"
    refused = owner_api.patch(address, {"face_search": True}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (400, "legal_basis_required")
    basis = {"basis": "contract", "attested": True}
    assert owner_api.patch(address, {"face_search": True, "legal_basis": basis}, format="json").status_code == 200
    assert photo_flow.progress(album)["ready"] == 1
    work_off()
    assert Face.objects.filter(photo=photo).count() == 1
    assert album.legal_bases.get().attested_by == album.owner
    assert owner_api.patch(address, {"face_search": False}, format="json").status_code == 200
    assert not Face.objects.exists()
    assert not EmbeddingBlock.objects.exists()
    assert photo_flow.progress(album)["faces"] == 0


def test_a_deleted_photo_takes_its_faces_and_files_with_it(searchable: Album, owner_api: APIClient) -> None:
    photo, kept = ready_photo(searchable), ready_photo(searchable, pictures.jpeg(pictures.faceless()), "b.jpg")
    assert owner_api.delete(f"/api/v1/photos/{photo.pk}/").status_code == 204
    assert not Face.objects.exists()
    assert not any(storage.exists(key) for key in photo.stored_keys())
    assert all(storage.exists(key) for key in kept.stored_keys())
    assert not Erasure.objects.exists()


def test_an_album_deleted_for_good_leaves_nothing_on_disk(searchable: Album) -> None:
    photos = [ready_photo(searchable), ready_photo(searchable, pictures.jpeg(pictures.faceless()), "b.jpg")]
    album_flow.delete_for_good(searchable)
    assert not Photo.objects.exists()
    assert not any(storage.exists(key) for photo in photos for key in photo.stored_keys())


def test_upload_into_a_deleted_album_stores_nothing(album: Album) -> None:
    data = pictures.jpeg(pictures.quadrants())
    gone = Album.objects.get(pk=album.pk)
    album.delete()
    with pytest.raises(Exception, match="deleted"):
        add(gone, data)
    assert not list(storage.path("x").parent.glob(f"originals/{gone.pk}/*"))
