"""The REST API in sequences: what one request answers, the next ones use, as the description links them. An album is
made, filled, shared, searched, emptied and deleted in orders that nobody wrote down.
"""

import itertools
import re
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pytest
import schemathesis
from django.db import transaction
from hypothesis import Phase, settings
from hypothesis.errors import Flaky

from galleries.flows import photo as photo_flow
from galleries.models import Album, ApiToken, Photo
from tests import pictures
from tests.fuzzing import LONG, tell, tries
from tests.test_fuzz_api import CHECKS, Tenant, make_tenant, served

pytestmark = pytest.mark.django_db
REQUESTS, STEPS = (20_000, 40) if LONG else (150, 20)
# In one run of schemathesis; then another begins.
SCENARIOS = 12
_GUESTS = ("/api/v1/links/{token}/", "/api/v1/selfies/")
_SELFIE_ID = "$response.body#/id"
_OURS = {"authorization", "pixora-guest", "cookie"}
_ID = re.compile(r'"(?:id|token)": ?"([^"]+)"')
_UUID = re.compile(r"[0-9a-f-]{36}")
_KEY = re.compile(r'"guest_key": ?"([^"]+)"')
_numbers = itertools.count()


def described() -> Any:
    """The schema, with the one link that cannot be told from names: what a selfie's answer leads to."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", served)
    selfies = schema.raw_schema["paths"]["/api/v1/links/{token}/selfies/"]["post"]
    following = ["selfies_retrieve", "selfies_destroy", "selfies_feedback_create", "selfies_archives_create"]
    selfies["responses"]["202"]["links"] = {
        name: {"operationId": name, "parameters": {"selfie_id": _SELFIE_ID}} for name in following
    }
    return schema


def a_photo(*, is_selfie: bool) -> bytes:
    """Another one each time, so that the album takes it; a search of nobody is as good as any here."""
    size = 300 if is_selfie else 24
    picture = pictures.quadrants(size, size).copy()
    number = next(_numbers)
    picture[0, 0] = (number % 256, number // 256 % 256, 9)
    return pictures.png(picture)


def with_real_files(case: Any) -> None:
    """Bytes out of nothing are seldom a photo: most files are. A form that is none werkzeug's client cannot send."""
    if case.media_type == "multipart/form-data" and not isinstance(case.body, dict):
        case.body = {}
    if not isinstance(case.body, dict) or next(_numbers) % 8 == 0:
        return
    if "file" in case.body:
        case.body["file"] = [a_photo(is_selfie=False)]
    if "selfie" in case.body:
        case.body |= {"selfie": a_photo(is_selfie=True), "consent": True}
    if "logo" in case.body:
        case.body["logo"] = a_photo(is_selfie=False)


@dataclass
class Asked:
    """What one run has asked, in all of its sequences."""

    tenant: Tenant
    headers: dict[str, str]
    statuses: Counter[int] = field(default_factory=Counter)
    fruitful: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def count(self, status: int) -> None:
        self.statuses[status] += 1
        if self.statuses.total() % 1000 == 0:
            self.tell()

    def tell(self) -> None:
        yes = f"{len(self.fruitful)} operations with a yes"
        tell(f"sequences: {self.statuses.total()} requests, {yes}: {dict(self.statuses)}")


@pytest.fixture
def asked() -> Asked:
    """By the owner of an album with a photo, a link, a search and a zip."""
    tenant = make_tenant("olga")
    return Asked(tenant, {"Authorization": f"Token {ApiToken.objects.create(user=tenant.owner)[1]}"})


class Sequence:
    """One sequence of requests, which leaves nothing behind in the database; a machine of schemathesis draws them."""

    asked: Asked

    def setup(self) -> None:
        self._all = transaction.atomic()
        self._all.__enter__()
        self.guest = {"Pixora-Guest": self.asked.tenant.guest_key}
        self.told: set[str] = set()
        self.deleted: set[str] = set()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._all.__exit__(None, None, None)

    def before_call(self, case: Any) -> None:
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() not in _OURS}
        case.cookies = {}
        case.path_parameters = {name: self._known(name, value) for name, value in case.path_parameters.items()}
        with_real_files(case)

    def _known(self, name: str, value: Any) -> Any:
        """An id out of nothing leads nowhere: mostly it is one of what was there before."""
        return value if value in self.told or next(_numbers) % 6 == 0 else self.asked.tenant.ids.get(name, value)

    def get_call_kwargs(self, case: Any) -> dict[str, Any]:
        headers = self.guest if case.path.startswith(_GUESTS) else self.asked.headers
        return {"headers": headers | case.headers}

    def after_call(self, response: Any, case: Any) -> None:
        super().after_call(response, case)  # type: ignore[misc]
        self.asked.count(response.status_code)
        if 200 <= response.status_code < 300:
            self.asked.fruitful[case.operation.label] += 1
            self._learn(response.content.decode(errors="replace"))
            self._remember(case.method, PurePosixPath(case.formatted_path))
            make_ready()

    def _learn(self, answer: str) -> None:
        self.told.update(_ID.findall(answer))
        if key := _KEY.search(answer):
            self.guest = {"Pixora-Guest": key[1]}

    def _remember(self, method: str, path: PurePosixPath) -> None:
        if path.name == "restore":
            self.deleted.discard(str(path.parent))
        elif method != "DELETE":
            gone = [each for each in self.deleted if path.is_relative_to(each)]
            if gone:
                self.asked.failures.append(f"{method} {path} after DELETE")
        elif _UUID.fullmatch(path.name):
            # What only belongs to something, such as its logo, may be asked for and put there again.
            self.deleted.add(str(path))

    def validate_response(self, response: Any, case: Any, **_: Any) -> None:
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseExceptionGroup as error:
            # Kept, since what failed once may go well when it is tried again: then it is no failure to hypothesis.
            self.asked.failures.append(f"{error}: {error.exceptions}")
            raise


def test_whatever_follows_from_an_answer_is_answered_as_described(asked: Asked) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        machine: Any = type("Asking", (Sequence, described().as_state_machine()), {"asked": asked})
        while asked.statuses.total() < REQUESTS and not asked.failures:
            # What comes next depends on answers, which are never quite the same: hypothesis calls that flaky.
            with suppress(Flaky):
                machine.run(
                    settings=settings(tries(SCENARIOS, SCENARIOS), phases=[Phase.generate], stateful_step_count=STEPS)
                )
    asked.tell()
    assert asked.failures == []
    assert len(asked.fruitful) > 12
    assert asked.statuses[404] < asked.statuses.total() / 2


def make_ready() -> None:
    """What a worker would do, where no engine is needed for it."""
    if not Photo.objects.due().filter(album__in=Album.objects.filter(face_search=True)).exists():
        while Photo.objects.due().exists():
            photo_flow.work()


def test_a_zip_is_sent_as_often_as_it_is_asked_for(asked: Asked) -> None:
    """More often than this process sends at once: each has ended before the next."""
    operation = described()["/api/v1/archives/{archive_id}/"]["GET"]
    for _ in range(6):
        case = operation.Case(path_parameters={"archive_id": asked.tenant.ids["archive_id"]})
        assert case.call(headers={"Pixora-Guest": asked.tenant.guest_key}).status_code == 200
