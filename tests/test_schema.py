"""The API's description: made without a warning, complete, and never breaking those who were written by it.

tests/schema.yml is what was promised. After an addition: `make schema`.
"""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from jsonschema import Draft4Validator

from galleries.api.examples import example_of
from tests.breaking import breaking

ROOT = Path(settings.BASE_DIR)
PROMISED = ROOT / "tests" / "schema.yml"
_LIMITED = {"links_unlock_create", "links_selfies_create", "albums_collaborators_create"}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("schema") / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(path))
    return read(path)


@pytest.fixture(scope="module")
def promised() -> dict[str, Any]:
    return read(PROMISED)


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, known in described["paths"].items():
        for method, operation in known.items():
            yield method, path, operation


def test_nothing_that_clients_rely_on_is_gone(described: dict[str, Any], promised: dict[str, Any]) -> None:
    assert breaking(promised, described) == []


def test_what_is_promised_is_what_there_is(described: dict[str, Any], promised: dict[str, Any]) -> None:
    assert described == promised, "After an addition, write it down: make schema"


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "GET /api/v1/account/ is gone": lambda new: new["paths"].pop("/api/v1/account/"),
    "PATCH /api/v1/albums/{album_id}/ is gone": lambda new: new["paths"]["/api/v1/albums/{album_id}/"].pop("patch"),
    "sha256 is gone": lambda new: new["components"]["schemas"]["Photo"]["properties"].pop("sha256"),
    "welcome is required now": lambda new: new["components"]["schemas"]["AlbumRequest"]["required"].append("welcome"),
    "maxLength 10": lambda new: new["components"]["schemas"]["AlbumRequest"]["properties"]["title"].update(
        maxLength=10
    ),
    "size is string": lambda new: new["components"]["schemas"]["Photo"]["properties"]["size"].update(type="string"),
    "title may be null now": lambda new: new["components"]["schemas"]["Album"]["properties"]["title"].update(
        nullable=True
    ),
    "event_date may not be null": lambda new: new["components"]["schemas"]["AlbumRequest"]["properties"][
        "event_date"
    ].update(nullable=False),
    "takes fewer words": lambda new: new["components"]["schemas"]["RoleEnum"]["enum"].pop(),
    "query state is required now": lambda new: _parameter(new, "state").update(required=True),
    "parameter query limit is gone": lambda new: _parameter(new, "limit").update(name="size"),
    "202 is gone": lambda new: new["paths"]["/api/v1/links/{token}/selfies/"]["post"]["responses"].pop("202"),
    "another operationId": lambda new: new["paths"]["/api/v1/account/"]["get"].update(operationId="me"),
}


def _parameter(description: dict[str, Any], name: str) -> dict[str, Any]:
    listed = description["paths"]["/api/v1/albums/{album_id}/photos/"]["get"]["parameters"]
    return next(each for each in listed if each["name"] == name)


@pytest.mark.parametrize("words", CHANGES)
def test_a_change_that_breaks_clients_is_told(described: dict[str, Any], words: str) -> None:
    changed = copy.deepcopy(described)
    CHANGES[words](changed)
    found = breaking(described, changed)
    assert any(words in each for each in found), found


def test_an_addition_breaks_nobody(described: dict[str, Any]) -> None:
    less = copy.deepcopy(described)
    less["paths"].pop("/api/v1/account/")
    less["components"]["schemas"]["Photo"]["properties"].pop("colour")
    less["components"]["schemas"]["Photo"]["required"].remove("colour")
    _parameter(less, "hidden")["name"] = "nothing"
    assert breaking(less, described) == [
        "GET /api/v1/albums/{album_id}/photos/: parameter query nothing is gone",
    ]


def test_every_operation_says_what_it_is_for(described: dict[str, Any]) -> None:
    for method, path, operation in operations(described):
        where = f"{method} {path}"
        assert operation["tags"], where
        assert 8 < len(operation["summary"]) < 100, where
        assert not operation["summary"].endswith("."), where
        assert operation["security"], where


def test_every_operation_says_what_may_go_wrong(described: dict[str, Any]) -> None:
    for method, path, operation in operations(described):
        answers, where = operation["responses"], f"{method} {path}"
        wanted = {"401", "403", "429", "503", "default"}
        wanted |= {"404"} if "{" in path else set()
        wanted |= {"400"} if "requestBody" in operation else set()
        wanted |= {"409", "422"} if method == "post" else set()
        assert wanted <= answers.keys(), where
        for status, answer in answers.items():
            if status in ("429", "503", "507"):
                assert "Retry-After" in answer["headers"], where
            if status == "default" or status >= "400":
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, where
        if operation["operationId"] in _LIMITED:
            assert "too_many_gues" in answers["429"]["description"], where


def test_every_limit_of_ours_is_described(described: dict[str, Any]) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "galleries").rglob("*.py"))
    raised = set(re.findall(r'Refusal\(\s*"(\w+)",[^()]*?status=429', sources))
    assert raised > {"too_many_guests", "slowed_down"}
    told = "".join(each["responses"]["429"]["description"] for _, _, each in operations(described))
    assert [code for code in raised if code not in told] == []


def test_conditions_and_keys_are_described(described: dict[str, Any]) -> None:
    for method, path, operation in operations(described):
        headers = {each["name"] for each in operation.get("parameters", []) if each["in"] == "header"}
        json = any("application/json" in each.get("content", {}) for each in operation["responses"].values())
        if method == "get" and json:
            assert ("If-None-Match" in headers, "304" in operation["responses"]) == (True, True), path
            assert "ETag" in operation["responses"]["200"]["headers"], path
        if method == "post":
            assert "Idempotency-Key" in headers, path
    assert described["components"]["securitySchemes"].keys() == {"cookieAuth", "guestKey", "knoxApiToken"}


def test_every_example_is_of_its_kind(described: dict[str, Any]) -> None:
    """As JSON Schema knows it, which has no `nullable`, and in which what is only read is not sent."""
    count = 0
    for method, path, operation in operations(described):
        kinds = [(operation.get("requestBody", {}), "readOnly")]
        kinds += [(answer, "writeOnly") for answer in operation["responses"].values()]
        for part, without in kinds:
            if content := part.get("content", {}).get("application/json"):
                schema = _as_json_schema(content["schema"], described["components"]["schemas"], without)
                given = [each["value"] for each in content.get("examples", {}).values()] or [content["example"]]
                for example in given:
                    problems = [each.message for each in Draft4Validator(schema).iter_errors(example)]
                    assert problems == [], f"{method} {path}"
                    assert example not in ({}, [], "")
                count += 1
    assert count > 50
    assert example_of({"type": "array", "items": {"type": "integer"}}, {}, without="") == [7]


def _as_json_schema(schema: dict[str, Any], schemas: dict[str, Any], without: str) -> dict[str, Any]:
    if ref := schema.get("$ref"):
        return _as_json_schema(schemas[ref.rpartition("/")[2]], schemas, without)
    plain = {key: value for key, value in schema.items() if key not in ("nullable", "example", "default", "pattern")}
    for several in ("allOf", "oneOf"):
        if several in plain:
            parts = [_as_json_schema(part, schemas, without) for part in plain.pop(several)]
            plain |= {"anyOf": parts}
    if "properties" in plain:
        kept = {name: part for name, part in plain["properties"].items() if not part.get(without)}
        plain["properties"] = {name: _as_json_schema(part, schemas, without) for name, part in kept.items()}
        plain["required"] = [name for name in plain.get("required", []) if name in kept]
        if not plain["required"]:
            del plain["required"]
    if "items" in plain:
        plain["items"] = _as_json_schema(plain["items"], schemas, without)
    return {"anyOf": [plain, {"enum": [None]}]} if schema.get("nullable") else plain
