"""Journey two, a selfie: consent and bytes from the web, and a search by a worker.

The bytes live in private scratch until the search is over, whatever its end. Its vectors are kept only if the guest
asked for later photos; the person's, with which later selfies are compared, as long as a search is about them.
Withdrawing deletes the row, and with it the fence a worker would need to write anything back.
"""

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

import recognition
from galleries import images, metrics, storage
from galleries.access import Viewer
from galleries.database import count_failure
from galleries.errors import Refusal
from galleries.models import Album, EmbeddingBlock, Erasure, Face, Link, Match, Photo, SearchRecord, Selfie
from galleries.models.photo import is_shown
from galleries.models.selfie import CERTAIN, MAX_ATTEMPTS
from galleries.models.site import limit
from recognition.types import Vector

from . import admission, event, notice, search_index, sought, visit, watch
from .doorbell import ring
from .places import faces_by_photo, same_face
from .search_index import SearchIndex
from .sought import Unsearchable

logger = logging.getLogger(__name__)

# What the guest reads. The codes are part of the API.
WORDS = {
    "no_face": _("We see no face. Hold the phone in front of you, with light on your face."),
    "several_faces": _("There are several faces. Only you, please."),
    "face_too_small": _("Your face is too small. Come closer."),
    "face_blurred": _("The picture is blurred. Hold still and try again."),
    "damaged": _("This picture is damaged. Take another one."),
    "engine_changed": _("This album is being prepared anew. Try again a little later."),
    "search_failed": _("Something went wrong on our side. Take another selfie."),
    "another_person": _(
        "We take this for somebody else than in your first selfie here, and each guest finds their own photos only. "
        "If it is you, try once more with light on your face."
    ),
    "album_photo": _("This is one of the album's own photos. Take a fresh selfie of yourself, here and now."),
}


# Web half: consent and receive


def receive(
    link: Link,
    viewer: Viewer,
    chunks: Iterable[bytes],
    *,
    consent: bool,
    keep_me_posted: bool,
    email: str = "",
    by_camera: bool = False,
) -> tuple[Selfie, str | None]:
    """Record consent and take in a selfie. Returns it, and the guest's key if one had to be made.

    `by_camera`: it comes from the camera step of the page, which some albums insist on.
    """
    if link.album.live_camera_only and not by_camera:
        raise Refusal(
            "live_camera_only",
            "This album takes selfies by the camera of its page only. Open the link and take one there, now.",
            status=403,
        )
    if not consent:
        raise Refusal("consent_required", "A selfie is searched with only after you agreed to it.", status=403)
    admission.require_room_to_search()
    selfie = Selfie(
        album=link.album,
        link=link,
        keep_me_posted=keep_me_posted,
        email=email if keep_me_posted and notice.is_offered() else "",
        email_language=get_language(),
        expires_at=timezone.now() + timedelta(days=limit("selfie_days")),
    )
    # Before the album is locked: a bucket may take its time. Should this process die, upkeep finds the picture.
    with _picture(chunks) as received:
        storage.adopt(received, selfie.scratch_key)
    try:
        return selfie, _add(selfie, link, viewer)
    except Refusal:
        storage.delete([selfie.scratch_key])
        raise


@transaction.atomic
def _add(selfie: Selfie, link: Link, viewer: Viewer) -> str | None:
    """The guest's key if one had to be made."""
    require_face_search(link)
    selfie.guest, key = visit.enter(link, viewer)
    watch.require_turn(link, selfie.guest, viewer.address)
    admission.require_few_searches(selfie.guest)
    admission.count_search(selfie.guest, link.album.owner)
    selfie.save(force_insert=True)
    watch.note(selfie, viewer.address)
    ring(work)
    return key


def require_face_search(link: Link) -> None:
    """Raises Refusal unless the album, locked until the end of the transaction, may be searched."""
    if not Album.objects.present().locked().filter(pk=link.album_id, face_search=True).first():
        raise Refusal("face_search_off", "Searching by selfie is switched off for this album.", status=403)


def _picture(chunks: Iterable[bytes]) -> storage.Received:
    try:
        received = storage.receive(chunks, limit=settings.PIXORA_MAX_FILE_BYTES)
    except storage.TooLarge as too_large:
        rejected = images.file_too_large(settings.PIXORA_MAX_FILE_BYTES)
        raise Refusal(rejected.code, rejected.detail, status=413) from too_large
    try:
        images.inspect(received.path)
    except images.ImageRejected as rejected:
        received.discard()
        raise Refusal(rejected.code, rejected.detail) from rejected
    return received


def result(selfie: Selfie) -> QuerySet[Match]:
    """The search's photos, sure ones first, each as it may be shown right now; in order of time."""
    if selfie.state_now != Selfie.State.DONE:
        return Match.objects.none()
    found = selfie.matches.in_result().filter(is_shown("photo__")).select_related("photo")
    certain = Case(When(CERTAIN, then=0), default=1)
    moment = Coalesce("photo__taken_at", "photo__received_at")
    return found.order_by(certain, moment, "photo__name", "photo")


@transaction.atomic
def judge(selfie: Selfie, photo_id: uuid.UUID, verdict: str) -> Match:
    """Keep the guest's word on one photo of the result, in all their searches for this person; "" takes it back.

    It survives re-indexing and steers the next search.
    """
    own = _searches_like(selfie)
    # Searches that are just being finished replace their matches: one after the other.
    list(own.select_for_update().order_by("pk").values_list("pk"))
    shown = Match.objects.filter(is_shown("photo__"), selfie=selfie, photo=photo_id)
    match = shown.select_related("photo").first()
    if match is None or selfie.state_now != Selfie.State.DONE:
        raise Refusal("not_in_result", "This photo is not in your result.", status=404)
    Match.objects.filter(selfie__in=own, photo=photo_id).update(verdict=verdict)
    match.verdict = verdict
    return match


def _searches_like(selfie: Selfie) -> QuerySet[Selfie]:
    """The guest's searches of the album for the same person."""
    return Selfie.objects.filter(guest=selfie.guest_id, album=selfie.album_id, person=selfie.person_id)


@transaction.atomic
def withdraw(selfie: Selfie) -> bool:
    """Withdraw consent: the picture, the vectors, the matches and the zips of this search are erased.

    Returns whether the guest's other searches of the album still hold something of a face.
    """
    # Locked first: what a worker is just committing is then there to be erased with it.
    Selfie.objects.select_for_update().filter(pk=selfie.pk).first()
    Erasure.order([selfie.scratch_key], subject=selfie.pk)
    event.happened(event.Event.ERASE_DONE, selfie.album_id, erased="search", erasing=selfie.pk)
    selfie.delete()
    sought.forget_unsearched([selfie.guest_id])
    return sought.is_kept_of(selfie.guest_id, selfie.album_id)


@transaction.atomic
def end(selfies: QuerySet[Selfie]) -> None:
    """Erase what searches know. The rows stay until they are swept, to tell their guests that the time is over."""
    ended = list(selfies.select_for_update().order_by("pk"))
    Erasure.order(selfie.scratch_key for selfie in ended)
    gone = {
        "state": Selfie.State.EXPIRED,
        "vectors": None,
        "person": None,
        "wanted": False,
        "fence": None,
        "lease_until": None,
        "email": "",
    }
    Selfie.objects.filter(pk__in=[selfie.pk for selfie in ended]).update(**gone, expires_at=Now())
    Match.objects.filter(selfie__in=ended).delete()
    notice.drop_mails(ended)
    sought.forget_unsearched({selfie.guest_id for selfie in ended})


def progress(selfie: Selfie) -> tuple[int, int]:
    """(photos searched, photos there are to search), those included whose faces are still being looked for."""
    coming = [Photo.State.READY, Photo.State.UPLOADED, Photo.State.PROCESSING]
    photos = selfie.album.photos.filter(hidden=False)
    total = photos.filter(state__in=coming).count()
    if selfie.vectors is None:
        return min(selfie.scanned, total), total
    told = EmbeddingBlock.objects.filter(album=selfie.album_id, engine=selfie.engine, announced=True)
    # The few are looked up, so that the many are counted in their index.
    out_of_sight = selfie.album.photos.exclude(is_shown()).filter(Exists(told.filter(photo=OuterRef("pk"))))
    return told.count() - out_of_sight.count(), total


# Worker half: search


@shared_task
def work() -> None:
    """One ring: take the next due selfie; and ring first, for there may be more."""
    recognition.load()
    if selfie := Selfie.objects.claim():
        ring(work)
        search(selfie)


@dataclass(frozen=True)
class Found:
    """`seen` names the blocks that were searched."""

    query: Vector
    centre: Vector
    seen: set[int]
    matches: list[Match]


def search(selfie: Selfie) -> None:
    """Search the album for a claimed selfie and give it back: done, or failed with a code the guest can act on."""
    if selfie.state == Selfie.State.QUEUED:
        Selfie.objects.held(selfie).update(state=Selfie.State.WORKING)
    try:
        with metrics.timed("search_seconds"):
            _finish(selfie, _find(selfie))
        metrics.count("searches", outcome="done")
    except (Unsearchable, recognition.SelfieRejected) as rejected:
        _fail(selfie, rejected.code)
    except (images.ImageRejected, images.DecoderFault):
        _fail(selfie, "damaged")
    except SoftTimeLimitExceeded:
        Selfie.objects.hand_back(selfie)
        ring(work)
    except Exception as error:
        count_failure(error)
        # No fault of the selfie: it is tried again in a moment, MAX_ATTEMPTS times at most.
        logger.exception("Search %s failed.", selfie.pk)
        Selfie.objects.release(selfie, rest_seconds=2)


def _find(selfie: Selfie) -> Found:
    engine = selfie.album.engine
    if selfie.attempts > MAX_ATTEMPTS:
        raise Unsearchable("search_failed")
    if not _is_known(engine) or (selfie.vectors is not None and selfie.engine != engine):
        raise Unsearchable("engine_changed")
    query = _query(selfie)
    index = search_index.of(selfie.album, recognition.engine(engine))
    if selfie.vectors is None:
        sought.require_own_face(selfie, query[0], index)
    said = dict(zip(("confirmed", "refused"), _judged_rows(selfie, index), strict=True))
    result = recognition.match(
        query, index.vectors, weak=index.weak, photos=index.photo_numbers, engine_name=engine, **said
    )
    best: dict[uuid.UUID, tuple[int, recognition.Hit]] = {}
    for hit in result.hits:
        photo, ordinal = index.place(hit.row)
        best.setdefault(photo, (ordinal, hit))
    return Found(query[0], result.centre, set(index.blocks), _matches(selfie, engine, best))


def _is_known(engine: str) -> bool:
    try:
        return bool(recognition.engine(engine))
    except recognition.UnknownEngine:
        return False


def _query(selfie: Selfie) -> Vector:
    """The selfie's vector, (1, dimension): from the picture, or the one kept for later photos."""
    if selfie.vectors is not None:
        return selfie.kept_vectors[:1]
    decode = images.decode_bounded if selfie.attempts == 1 else images.decode_apart
    with storage.local(selfie.scratch_key) as picture:
        pixels = decode(picture, images.DECODE_EDGE).pixels
    return recognition.embed_selfie(pixels, selfie.album.engine).embedding[np.newaxis]


def _matches(selfie: Selfie, engine: str, best: dict[uuid.UUID, tuple[int, recognition.Hit]]) -> list[Match]:
    found = Face.objects.filter(engine=engine, photo__in=list(best))
    faces = {(face.photo_id, face.ordinal): face for face in found}
    matches = []
    for photo, (ordinal, hit) in best.items():
        if face := faces.get((photo, ordinal)):
            box = {"x": face.x, "y": face.y, "width": face.width, "height": face.height}
            matches.append(Match(selfie=selfie, photo_id=photo, tier=hit.tier, distance=hit.distance, **box))
    return matches


def _judged_rows(selfie: Selfie, index: SearchIndex) -> tuple[list[int], list[int]]:
    """The rows of the faces that this guest called "me" and "not me" for this person, found again by their boxes."""
    judged = Match.objects.filter(selfie__in=_searches_like(selfie)).exclude(verdict="")
    by_photo = faces_by_photo(Face.objects.filter(photo__in=judged.values("photo"), engine=selfie.album.engine))
    said: dict[str, list[int]] = {Match.Verdict.ME: [], Match.Verdict.NOT_ME: []}
    for match in judged:
        same = same_face(by_photo[match.photo_id], match)
        row = index.row(match.photo_id, same.ordinal) if same else None
        if row is not None:
            said[match.verdict].append(row)
    return said[Match.Verdict.ME], said[Match.Verdict.NOT_ME]


def _finish(selfie: Selfie, found: Found) -> None:
    kept = np.stack([found.query, found.centre]).astype("<f4").tobytes() if selfie.keep_me_posted else None
    with transaction.atomic():
        if not Selfie.objects.held(selfie).select_for_update().first():
            return
        _replace_matches(selfie, found.matches)
        sought.sharpen(selfie, found.query, found.centre)
        watch.note_end(selfie, SearchRecord.DONE, selfie.matches.in_result().filter(is_shown("photo__")).count())
        Erasure.order([selfie.scratch_key])
        Selfie.objects.release(
            selfie,
            state=Selfie.State.DONE,
            code="",
            # Until it is known that nothing came meanwhile.
            wanted=bool(kept),
            attempts=0,
            engine=selfie.album.engine,
            vectors=kept,
            scanned=len(found.seen),
            finished_at=Now(),
        )
        ring(notice.work)
    if kept:
        _rest_if_nothing_came(selfie, found.seen)


@transaction.atomic
def _rest_if_nothing_came(selfie: Selfie, seen: set[int]) -> None:
    """Faces committed while the search ran may have been announced before this selfie was watching.

    Its row is locked while that is looked up, so that an announcement comes before or after, but not in between.
    """
    Selfie.objects.select_for_update().filter(pk=selfie.pk).first()
    blocks = EmbeddingBlock.objects.filter(album=selfie.album_id, engine=selfie.album.engine)
    if set(blocks.filter(photo__state=Photo.State.READY).values_list("pk", flat=True)) <= seen:
        Selfie.objects.filter(pk=selfie.pk).update(wanted=False)
    else:
        ring(work)


def _replace_matches(selfie: Selfie, matches: list[Match]) -> None:
    """What the guest said stays: a judged photo keeps its verdict, and has it in their later searches too."""
    said = dict(
        Match.objects.filter(selfie__in=_searches_like(selfie))
        .exclude(verdict="")
        .order_by("pk")
        .values_list("photo_id", "verdict")
    )
    known = dict(selfie.matches.values_list("photo_id", "found_at"))
    for match in matches:
        match.verdict = said.get(match.photo_id, "")
        if match.photo_id in known:
            match.found_at = known[match.photo_id]
    found = [match.photo_id for match in matches]
    # Locked, so that none is deleted before its match is committed; those deleted during the search are left out.
    there = set(Photo.objects.select_for_update().filter(pk__in=found).order_by("pk").values_list("pk", flat=True))
    selfie.matches.filter(Q(verdict="") | Q(photo__in=found)).delete()
    Match.objects.bulk_create(match for match in matches if match.photo_id in there)


@transaction.atomic
def _fail(selfie: Selfie, code: str) -> None:
    """A search that had a result keeps it, and is no longer brought up to date."""
    metrics.count("searches", outcome=code)
    ended: dict[str, Any] = {"wanted": False, "vectors": None, "attempts": 0, "email": ""}
    if selfie.state != Selfie.State.DONE:
        ended |= {"state": Selfie.State.FAILED, "code": code, "finished_at": Now(), "person": None}
    if not Selfie.objects.release(selfie, **ended):
        return
    Erasure.order([selfie.scratch_key])
    if selfie.state != Selfie.State.DONE:
        watch.note_end(selfie, code)
        sought.forget_unsearched([selfie.guest_id])
