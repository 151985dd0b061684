"""`python -m tests.mutate_access`: breaks the rule in every way there is to break it, and counts who notices.

Each condition of galleries/access/ is turned round, dropped or made to hold always, each check is skipped, each role
and scope gets a little more or less; then the questions of the access table are put until an answer differs. SAMPLE=20
takes every twentieth, ONLY=public_cover,viewer_of what is in these. Ends with 1 when fewer than 95 % are noticed.
"""

import ast
import copy
import hashlib
import importlib
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from uuid import uuid4

NEEDED = 0.95
# What finds out who asks, and what does not decide: addresses, cookies as they are written, words.
NOT_THE_RULE = {
    # The last: whose link a download is counted for.
    "address_of", "is_our_proxy", "_parsed", "remember_guest", "guest_key_of", "forget_guest", "require_metrics_reader",
    "lending_link",
}  # fmt: skip
MODULES = ("rule", "__init__", "viewer")
# Pictures are decoded there: too slow to be asked a thousand times, and others ask the same of the rule.
_SLOW = ("POST api:album-photos", "PUT api:album-logo", "POST api:shared-link-selfies", "POST guest-link")
Node = ast.AST


def variants(node: Node) -> Iterator[tuple[str, Node | None]]:  # noqa: C901 (a table)
    """What can be made of one node: what was done, and the other node; None drops a statement."""
    match node:
        case ast.Compare(ops=[operation]) if type(operation) in _OPPOSITES:
            yield "turned round", _with(node, ops=[_OPPOSITES[type(operation)]()])
        case ast.BoolOp(op=operation, values=values):
            yield "and, or swapped", _with(node, op=ast.Or() if isinstance(operation, ast.And) else ast.And())
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield f"without operand {at + 1}", rest[0] if len(rest) == 1 else _with(node, values=rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "without not", operand
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() as operation, left=left, right=right):
            other = ast.BitAnd() if isinstance(operation, ast.BitOr) else ast.BitOr()
            yield "& and | swapped", _with(node, op=other)
            yield "left operand only", left
            yield "right operand only", right
        case ast.IfExp(body=body, orelse=orelse):
            yield "always the first", body
            yield "always the second", orelse
        case ast.If():
            yield "if always", _with(node, test=ast.Constant(True))
            yield "if never", _with(node, test=ast.Constant(False))
        case ast.Raise():
            yield "not raised", None
        case ast.Expr(value=ast.Call()):
            yield "call skipped", None
        case ast.Call(func=ast.Attribute(attr="filter" | "exclude" | "granting" | "certain" | "in_result" | "present")):
            yield from _weaker_queries(node)
        case ast.keyword(arg=str(), value=ast.Constant(value=bool() as value)):
            yield f"not {value}", _with(node, value=ast.Constant(not value))
        case ast.Attribute(value=ast.Name(id="Action"), attr=name):
            yield from (
                (f"{name} -> {other}", _with(node, attr=other)) for other in ("INSPECT", "OWN") if other != name
            )


_OPPOSITES: dict[type, type] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def _with(node: Any, **fields: Any) -> Any:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _weaker_queries(node: ast.Call) -> Iterator[tuple[str, Node]]:
    assert isinstance(node.func, ast.Attribute)
    yield f"without .{node.func.attr}()", _with(node, func=_with(node.func, attr="all"), args=[], keywords=[])
    for at in range(len(node.args)):
        yield f"without argument {at + 1}", _with(node, args=node.args[:at] + node.args[at + 1 :])
    for at, keyword in enumerate(node.keywords):
        yield f"without {keyword.arg}", _with(node, keywords=node.keywords[:at] + node.keywords[at + 1 :])


@dataclass(frozen=True)
class Mutant:
    where: str
    what: str
    # Breaks the rule, and gives what mends it again.
    applied: Callable[[], Callable[[], None]]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        mend = self.applied()
        try:
            yield
        finally:
            mend()


def of_code() -> Iterator[Mutant]:
    for name in MODULES:
        path = Path("galleries/access") / f"{name}.py"
        module = importlib.import_module("galleries.access" + ("" if name == "__init__" else f".{name}"))
        tree = ast.parse(path.read_text())
        for function in [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]:
            if function.name not in NOT_THE_RULE:
                for node, what, changed in list(_changes(function, tree)):
                    where = f"{path}:{getattr(node, 'lineno', function.lineno)} {function.name}"
                    yield Mutant(where, what, _swap(module, function.name, changed))


def _changes(function: ast.FunctionDef, tree: ast.Module) -> Iterator[tuple[Node, str, ast.Module]]:
    # Annotations decide nothing, and what is meant where nothing is said is said everywhere.
    for parent in [function, *(each for statement in function.body for each in ast.walk(statement))]:
        for field, value in ast.iter_fields(parent):
            if field == "annotation" or (parent is function and field != "body"):
                continue
            for at, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST):
                    continue
                for what, other in variants(node):
                    replaced = other if other is not None else ast.Pass()
                    _put(parent, field, at, replaced)
                    yield node, what, copy.deepcopy(tree)
                    _put(parent, field, at, node)


def _put(parent: Any, field: str, at: int, node: Node) -> None:
    if isinstance(getattr(parent, field), list):
        getattr(parent, field)[at] = node
    else:
        setattr(parent, field, node)


def _swap(module: ModuleType, name: str, changed: ast.Module) -> Callable[[], Callable[[], None]]:
    """Only a function's code goes into the module that everybody has imported."""

    def applied() -> Callable[[], None]:
        scratch: dict[str, Any] = {"__name__": module.__name__, "__package__": "galleries.access"}
        exec(compile(ast.fix_missing_locations(changed), "mutant", "exec"), scratch)
        function, broken = _function(vars(module), name), _function(scratch, name)
        whole = function.__code__
        function.__code__ = broken.__code__

        def mend() -> None:
            function.__code__ = whole

        return mend

    return applied


def _function(names: dict[str, Any], name: str) -> FunctionType:
    found = names[name] if name in names else vars(names["Viewer"])[name].fget
    assert isinstance(found, FunctionType)
    return found


def of_tables() -> Iterator[Mutant]:
    """Each role with one action more or less, each action for another scope, each kind without a rule."""
    from galleries.access import Action, rule

    for role, actions in rule.ACTIONS.items():
        for action in Action:
            more_or_less = actions ^ {action}
            if action not in (Action.VIEW, Action.DOWNLOAD):
                yield _entry(rule.ACTIONS, role, more_or_less, f"{role}, {action} turned round")
    for action, scope in rule.SCOPE_FOR.items():
        for other in {"read", "upload", "manage"} - {scope}:
            yield _entry(rule.SCOPE_FOR, action, other, f"{action} for the scope {other}")
    for kind in rule._RULES:
        yield _entry(
            rule._RULES, kind, lambda viewer, kind=kind: kind._default_manager.all(), f"all of {kind.__name__}"
        )
        yield _entry(rule._RULES, kind, lambda viewer, kind=kind: kind._default_manager.none(), f"no {kind.__name__}")


def _entry(table: Any, key: Any, value: Any, what: str) -> Mutant:
    def applied() -> Callable[[], None]:
        before, table[key] = table[key], value
        return lambda: table.__setitem__(key, before)

    return Mutant("galleries/access/rule.py, tables", what, applied)


# The questions


@dataclass(frozen=True)
class Question:
    persona: str
    row: str
    ids: dict[str, Any]


def questions(world: Any) -> list[Question]:
    """The table, the states, and everybody's own, without what is the same for all."""
    from tests.access_table import BY_LINK, OWN, PERSONAS, STATES, TABLE

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
    from tests import routes

    method, name = question.row.split()
    path = routes.address(name, patterns[name], question.ids)
    body = routes.body(method, name, question.ids)
    with world.asked(question.persona, method, path, *body) as answer:
        told = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return answer.status_code, hashlib.sha256(told).hexdigest()


def judged(world: Any) -> list[Any]:
    """What the rule itself answers: may each viewer do each action with each object, and what do they see."""
    from galleries import access, models
    from galleries.models import Album, Selfie, User

    olga, guests = world.olga.owner, [Selfie.objects.get(pk=ids["selfie_id"]).guest for ids in world.own.values()]
    people = [None, olga, world.otto.owner, *User.objects.filter(collaborations__album=world.olga.album).order_by("pk")]
    viewers = [access.Viewer(user) for user in people] + [access.Viewer(guest=guest) for guest in guests]
    viewers += [access.Viewer(world.otto.owner, guests[0])]
    viewers += [access.Viewer(olga, scopes=frozenset({scope})) for scope in ("read", "upload", "manage")]
    viewers += [access.Viewer(olga, albums=frozenset()), access.Viewer(olga, albums=frozenset({world.olga.album.pk}))]
    kinds: list[Any] = [Album, models.Link, models.Photo, models.Collaborator, Selfie, models.Archive]
    things = [thing for kind in kinds for thing in kind.objects.order_by("pk")]
    told: list[Any] = [
        access.can(viewer, action, thing) for viewer in viewers for action in access.Action for thing in things
    ]
    sights: list[Any] = [lambda viewer, kind=kind: access.visible_to(viewer, kind) for kind in kinds]
    sights += [access.downloadable_by, access.deleted_albums]
    told += [set(sight(viewer).values_list("pk", flat=True)) for viewer in viewers for sight in sights]
    links = list(models.Link.objects.select_related("album").order_by("pk"))
    viewers += [access.Viewer(guest=visit.guest) for visit in models.Visit.objects.order_by("pk")]
    told += [set(access.downloadable_by(viewer).values_list("pk", flat=True)) for viewer in viewers]
    told += [_outcome(access.require_visit, viewer, link) for viewer in viewers for link in links]
    told += [_outcome(access.public_cover, link) for link in links]
    keys = ["unheard-of", world.olga.ids["disabled_guest_key"], *(ids["guest_key"] for ids in world.own.values())]
    return told + [_outcome(_who_asks, key, way) for key in keys for way in ("header", "cookie")]


def _who_asks(key: str, way: str) -> Any:
    from django.conf import settings
    from django.contrib.auth.models import AnonymousUser
    from django.test import RequestFactory

    from galleries import access

    request = RequestFactory().get("/", headers={access.GUEST_HEADER: key} if way == "header" else {})
    request.COOKIES = {settings.PIXORA_GUEST_COOKIE: key} if way == "cookie" else {}
    request.user = AnonymousUser()
    viewer = access.viewer_of(request)
    return viewer.guest, viewer.guest_by_cookie


def _outcome(ask: Callable[..., Any], *given: Any) -> Any:
    """What is answered, or how it is refused."""
    from django.http import Http404

    from galleries.errors import Refusal

    try:
        return ask(*given)
    except (Http404, Refusal) as refused:
        return type(refused).__name__, getattr(refused, "code", "")


class Jury:
    """Asks until an answer differs from that of the rule as it is; whoever noticed before is asked first.

    Routes are asked first, then the rule itself.
    """

    def __init__(self, world: Any) -> None:
        from tests import routes

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

    def is_sober(self) -> bool:
        """Whether nothing is noticed where nothing was broken: with a jury that is not, the count is worth nothing."""
        wrong = [each for number, each in enumerate(self.questions) if self._differs(number)]
        for each in wrong:
            say(f"noticed where nothing was broken: {each.persona}, {each.row}")
        return not wrong

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


def _with_odd_rows(world: Any) -> Any:
    """A chosen cover that is not the first photo, and the match of a search that failed in the end."""
    from galleries.models import Album, Guest, Match, Selfie, Visit

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


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> int:
    from django.db import transaction

    from tests.world import build

    begun, step = time.monotonic(), int(os.environ.get("SAMPLE", "1"))
    with transaction.atomic():
        jury = Jury(_with_odd_rows(build()))
        say(f"{len(jury.questions)} questions, answered twice in {time.monotonic() - begun:.0f} s")
        only = os.environ.get("ONLY", "").split(",")
        mutants = [each for each in [*of_tables(), *of_code()][::step] if any(name in each.where for name in only)]
        missed = []
        for number, mutant in enumerate(mutants, 1):
            if not jury.notices(mutant):
                missed.append(mutant)
                say(f"not noticed: {mutant.where}: {mutant.what}")
            if number % 25 == 0:
                say(f"{number} of {len(mutants)}, {len(missed)} not noticed")
        sober = jury.is_sober()
        transaction.set_rollback(True)
    share = 1 - len(missed) / len(mutants)
    seconds = time.monotonic() - begun
    say(f"{len(mutants) - len(missed)} of {len(mutants)} noticed ({share:.1%}), in {seconds:.0f} s;")
    say(f"all but {jury.by_rule} of them by what a route answers, those by what the rule itself says.")
    return int(share < NEEDED or not sober)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    django.setup()
    setup_test_environment()
    import logging

    logging.disable(logging.CRITICAL)
    databases = setup_databases(0, False)
    code = main()
    teardown_databases(databases, 0)
    sys.exit(code)
