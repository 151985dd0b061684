"""Who notices that the access rule is broken: the questions of the access table, and the rule itself, asked again."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import Http404
from django.test import RequestFactory

from galleries import access
from galleries.errors import Refusal
from galleries.models import Album, Alert, Archive, Collaborator, Guest, Link, Match, Photo, Selfie, User, Visit
from tests import routes
from tests.access_table import BY_LINK, OWN, PERSONAS, STATES, TABLE
from tests.mutants import Mutant

# Pictures are decoded there: too slow to be asked a thousand times, and others ask the same of the rule.
_SLOW = ("POST api:album-photos", "PUT api:album-logo", "POST api:shared-link-selfies", "POST guest-link")


@dataclass(frozen=True)
class Question:
    persona: str
    row: str
    ids: dict[str, Any]


def questions(world: Any) -> list[Question]:
    """The table, the states, and everybody's own, without what is the same for all."""
    rows = [row for row, says in TABLE.items() if says not in ("200", "302", "405") and row not in _SLOW]
    rows = [row for row in rows if not any(word in row for word in ("account_", "mfa_", "readyz", "metrics"))]
    rows += ["POST api:shared-link-unlock", "GET api:shared-link"]
    people = [who for who in PERSONAS if who not in ("other owner", "staff", "used-up")]
    on_pages = ["nobody", "owner", "editor", "viewer", "keeping", "guest", "browsing", "locked", "disabled", "left"]
    asked = [Question(who, row, world.olga.ids) for row in rows for who in (people if " api:" in row else on_pages)]
    asked += [
        Question(who, row, world.olga.ids | {"photo_id": world.olga.photos[state].pk})
        for state, says in STATES.items()
        for row in says
        for who in people
    ]
    asked += [Question(who, row, world.olga.ids | world.own[who]) for who, says in OWN.items() for row in says]
    deleted = world.olga.ids | world.deleted
    asked += [Question(who, row, deleted) for row in rows for who in ("owner", "guest", "read")]
    for whose in ("own_archive_id", "editors_archive_id"):
        zipped = world.olga.ids | {"archive_id": world.olga.ids[whose]}
        asked += [Question(who, "GET api:archive", zipped) for who in PERSONAS]
    asked += [Question("browsing", row, world.otto.ids) for row in rows if "shared" in row]
    asked += [Question("nobody", row, world.olga.ids | world.own[way]) for way, says in BY_LINK.items() for row in says]
    asked += [Question(who, "GET guest-cover", world.otto.ids) for who in ("nobody", "owner")]
    asked += [Question("owner", f"{method} token-revoke", world.otto.ids) for method in ("GET", "POST")]
    asked += [Question("nobody", "GET api:shared-link", world.olga.ids | {"token": "unheard-of"})]
    asked += [Question("nobody", "GET mail", world.olga.ids | more) for more in ({}, {"mail_token": "unheard-of"})]
    for album_id in (world.otto.ids["album_id"], world.olga.ids["other_album_id"]):
        mixed = world.olga.ids | {"album_id": album_id}
        asked += [Question("owner", row, mixed) for row in rows if "collaborator" in row]
    random.Random(6).shuffle(asked)
    return asked


def answered(world: Any, question: Question, patterns: dict[str, Any]) -> tuple[int, str]:
    """The status, and the sum of what was told."""
    method, name = question.row.split()
    path = routes.address(name, patterns[name], question.ids)
    body = routes.body(method, name, question.ids)
    with world.asked(question.persona, method, path, *body) as answer:
        told = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return answer.status_code, hashlib.sha256(told).hexdigest()


def judged(world: Any) -> list[Any]:
    """What the rule itself answers: may each viewer do each action with each object, and what do they see."""
    olga, guests = world.olga.owner, [Selfie.objects.get(pk=ids["selfie_id"]).guest for ids in world.own.values()]
    people = [None, olga, world.otto.owner, *User.objects.filter(collaborations__album=world.olga.album).order_by("pk")]
    viewers = [access.Viewer(user) for user in people] + [access.Viewer(guest=guest) for guest in guests]
    viewers += [access.Viewer(world.otto.owner, guests[0])]
    viewers += [access.Viewer(olga, scopes=frozenset({scope})) for scope in ("read", "upload", "manage")]
    viewers += [access.Viewer(olga, albums=frozenset()), access.Viewer(olga, albums=frozenset({world.olga.album.pk}))]
    kinds: list[Any] = [Album, Link, Photo, Collaborator, Alert, Selfie, Archive]
    things = [thing for kind in kinds for thing in kind.objects.order_by("pk")]
    told: list[Any] = [
        access.can(viewer, action, thing) for viewer in viewers for action in access.Action for thing in things
    ]
    sights: list[Any] = [lambda viewer, kind=kind: access.visible_to(viewer, kind) for kind in kinds]
    sights += [access.downloadable_by, access.deleted_albums]
    told += [set(sight(viewer).values_list("pk", flat=True)) for viewer in viewers for sight in sights]
    links = list(Link.objects.select_related("album").order_by("pk"))
    viewers += [access.Viewer(guest=visit.guest) for visit in Visit.objects.order_by("pk")]
    told += [set(access.downloadable_by(viewer).values_list("pk", flat=True)) for viewer in viewers]
    told += [_outcome(access.require_visit, viewer, link) for viewer in viewers for link in links]
    told += [_outcome(access.public_cover, link) for link in links]
    keys = ["unheard-of", world.olga.ids["disabled_guest_key"], *(ids["guest_key"] for ids in world.own.values())]
    return told + [_outcome(_who_asks, key, way) for key in keys for way in ("header", "cookie")]


def _who_asks(key: str, way: str) -> Any:
    request = RequestFactory().get("/", headers={access.GUEST_HEADER: key} if way == "header" else {})
    request.COOKIES = {settings.PIXORA_GUEST_COOKIE: key} if way == "cookie" else {}
    request.user = AnonymousUser()
    viewer = access.viewer_of(request)
    return viewer.guest, viewer.guest_by_cookie


def _outcome(ask: Callable[..., Any], *given: Any) -> Any:
    """What is answered, or how it is refused."""
    try:
        return ask(*given)
    except (Http404, Refusal) as refused:
        return type(refused).__name__, getattr(refused, "code", "")


class Jury:
    """Asks until an answer differs from that of the rule as it is; whoever noticed before is asked first.

    Routes are asked first, then the rule itself.
    """

    def __init__(self, world: Any) -> None:
        self.world, self.patterns = world, dict(routes.routes())
        self.questions = questions(world)
        first, second = self._all(), self._all()
        # Pages have tokens of their own in them, and what happened in the last minutes: they are told by their status.
        in_api = [" api:" in each.row for each in self.questions]
        self.right = [
            one if one == two and sums else (one[0], "") for one, two, sums in zip(first, second, in_api, strict=True)
        ]
        self.order = list(range(len(self.questions)))
        self.judged = judged(world)
        self.by_rule = 0

    def _all(self) -> list[tuple[int, str]]:
        return [answered(self.world, each, self.patterns) for each in self.questions]

    def false_alarms(self) -> list[Question]:
        """What is noticed where nothing was broken: with such a jury the count is worth nothing."""
        return [each for number, each in enumerate(self.questions) if self._differs(number)]

    def notices(self, mutant: Mutant) -> bool:
        with mutant.at_work():
            for place, number in enumerate(self.order):
                if self._differs(number):
                    self.order.insert(0, self.order.pop(place))
                    return True
            self.by_rule += (noticed := self._judges_otherwise())
        return noticed

    def _judges_otherwise(self) -> bool:
        try:
            return judged(self.world) != self.judged
        except Exception:  # noqa: BLE001 (as below)
            return True

    def _differs(self, number: int) -> bool:
        try:
            status, told = answered(self.world, self.questions[number], self.patterns)
        except Exception:  # noqa: BLE001 (a rule that falls over is noticed, however it falls)
            return True
        right = self.right[number]
        return status != right[0] or bool(right[1] and told != right[1])


def with_odd_rows(world: Any) -> Any:
    """A chosen cover that is not the first photo, and the match of a search that failed in the end."""
    Album.objects.filter(pk=world.olga.album.pk).update(cover=world.olga.photos["not me"])
    selfie = Selfie.objects.get(pk=world.olga.found.selfie.pk)
    match = selfie.matches.get(photo=world.olga.photos["ready"])
    selfie.pk, selfie._state.adding, selfie.guest = uuid4(), True, Guest.make()[0]
    selfie.state, selfie.email = Selfie.State.FAILED, ""
    selfie.save()
    Visit.objects.create(guest=selfie.guest, link=selfie.link, unlocked=True)
    match.pk, match._state.adding, match.selfie = None, True, selfie
    match.save()
    assert Match.objects.filter(selfie=selfie).exists()
    return world
