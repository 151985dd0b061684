"""What all operations of the OpenAPI description have in common: drf-spectacular's hook, once they are there.

Summaries out of the docstrings of handlers, problems with their codes, conditions, keys, headers, examples, the guide.
"""

import re
from pathlib import Path
from typing import Any

from galleries.errors import RETRY_SECONDS

from .examples import example_of
from .idempotency import HEADER, REPLAYED
from .problems import MEDIA_TYPE, TITLES

_GUIDE = Path(__file__).with_name("guide.md")
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; what a program goes by."},
        "errors": {"description": "What is wrong with which field."},
        "request_id": {"type": "string"},
    },
}
# Whose answers a guest may have, by their key.
_GUESTS = re.compile(
    r"/api/v1/(links/{token}/|selfies/|photos/{photo_id}/(thumb|preview|original)|archives/|return/|guest/)"
)
_OF_SECRETS = ("/api/v1/return/", "/api/v1/guest/")
_CODES = {
    400: ("invalid", "Not well formed, or a field is not right; `errors` says which."),
    401: ("not_authenticated", "No credentials where some are wanted, or some that are not known."),
    403: (
        "permission_denied",
        "Not with these credentials: not_yours, scope_missing, token_bound and others.",
    ),
    404: ("not_found", "There is nothing here, or it is not yours to see."),
    409: ("idempotency_in_progress", "The request with this Idempotency-Key is still under way."),
    410: (
        "link_expired",
        "The link has ended (link_expired, link_used_up), or the zip is old (archive_stale).",
    ),
    412: ("precondition_failed", "It has changed since the ETag of If-Match was read."),
    413: ("request_too_large", "More than is taken here at once."),
    415: ("unsupported_media_type", "Another content type than this route takes."),
    422: ("idempotency_key_reused", "This Idempotency-Key was used for another request."),
    429: ("busy", "Too many at once; Retry-After says in how many seconds to come again."),
    503: ("busy", "Not right now: busy, storage_unavailable, zip_unreadable, too_late. Nothing is lost."),
    507: ("disk_full", "The server's disk is full."),
}
# Where there is a limit of its own. Any other route is turned away only when all threads of the server are taken.
_LIMITS = {
    "/unlock/": "too_many_guesses (wrong passwords), too_many_guests (new ones of one network in an hour)",
    "/links/{token}/selfies/": "too_many_guests, too_many_searches (of one guest at once), searches_used_up (of one "
    "guest in a day), quota_searches (in all of its owner's albums in a day), queue_full (of all guests), slowed_down "
    "(after a strange pattern)",
    "/collaborators/": "too_many_guesses (addresses that could not be added)",
    "/return/mail/": "too_many_mails (to one address, or from one guest)",
    "/account/close/": "too_many_guesses (wrong passwords)",
}
_SECONDS = {"schema": {"type": "integer", "minimum": 1}, "description": "In how many seconds asking again may help."}
_ETAG = {"schema": {"type": "string"}, "description": "Of these bytes; for If-None-Match and If-Match."}


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    components = result["components"]
    components["schemas"]["Problem"] = _PROBLEM
    components["securitySchemes"]["guestKey"] = {
        "type": "apiKey",
        "in": "header",
        "name": "Pixora-Guest",
        "description": "The guest_key that a guest's first selfie, or unlocking, was answered with.",
    }
    result["info"]["description"] = _GUIDE.read_text()
    for path, operations in result["paths"].items():
        reads = "get" in operations
        for method, operation in operations.items():
            _describe(path, method, operation, reads=reads)
            _give_examples(operation, components["schemas"])
    return result


def _describe(path: str, method: str, operation: dict[str, Any], *, reads: bool) -> None:
    summary, _, more = operation.pop("description", "").partition("\n")
    operation.setdefault("summary", summary)
    if more.strip():
        operation["description"] = more.strip()
    _secure(path, operation)
    answers = operation["responses"]
    wrong = {401, 403, 429, 503, *_conditions(method, operation, sends_json=_sends_json(operation), reads=reads)}
    wrong |= {404} if "{" in path or path in _OF_SECRETS or "cursor" in _parameters(operation) else set()
    wrong |= {400} if "requestBody" in operation or _parameters(operation) else set()
    wrong |= {413, 415} if "requestBody" in operation else set()
    wrong |= {507} if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}) else set()
    wrong |= {410} if "{token}" in path or "/archives/{" in path else set()
    for status in sorted(wrong):
        answers.setdefault(str(status), _problem(status, path))
    answers["default"] = {"description": "A problem", "content": _content()}


def _parameters(operation: dict[str, Any]) -> set[str]:
    return {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}


def _sends_json(operation: dict[str, Any]) -> bool:
    return any("application/json" in answer.get("content", {}) for answer in operation["responses"].values())


def _secure(path: str, operation: dict[str, Any]) -> None:
    """A guest's key where guests come; elsewhere nobody comes without credentials."""
    if _GUESTS.match(path):
        operation["security"].append({"guestKey": []})
    else:
        operation["security"] = [each for each in operation["security"] if each]


def _conditions(method: str, operation: dict[str, Any], *, sends_json: bool, reads: bool) -> set[int]:
    """The headers of the method, and the problems that come of them."""
    answers = operation["responses"]
    done: dict[str, Any] = next((answer for status, answer in answers.items() if status.startswith("2")), {})
    if method in ("get", "patch") and sends_json:
        done.setdefault("headers", {})["ETag"] = _ETAG
    if method == "get" and sends_json:
        _take(operation, "If-None-Match", "The ETag of what you have: 304 while it is the same.")
        answers["304"] = {"description": "It is as you have it."}
    if method == "post":
        words = "A UUID of yours. Sent again with it within 24 h, nothing is done twice and the answer is the same."
        _take(operation, HEADER, words, pattern=r"^[\x21-\x7e]{1,255}$")
        replayed = {"schema": {"type": "string", "enum": ["true"]}, "description": "The answer to an earlier request."}
        done.setdefault("headers", {})[REPLAYED] = replayed
        return {400, 409, 422}
    if method in ("patch", "put", "delete") and reads:
        _take(operation, "If-Match", "The ETag of what you saw: 412 if it has changed since.")
        return {412}
    return set()


def _take(operation: dict[str, Any], name: str, words: str, **more: Any) -> None:
    header = {"in": "header", "name": name, "schema": {"type": "string", **more}, "description": words}
    operation.setdefault("parameters", []).append(header)


def _problem(status: int, path: str) -> dict[str, Any]:
    code, words = _CODES[status]
    limits = [limit for end, limit in _LIMITS.items() if path.endswith(end)]
    if status == 429 and limits:
        code, words = limits[0].split()[0].strip(","), f"Too often: {limits[0]}. Retry-After says when to come again."
    answer: dict[str, Any] = {"description": words, "content": _content(status, code, words)}
    if status in RETRY_SECONDS or status == 409:
        answer["headers"] = {"Retry-After": _SECONDS}
    return answer


def _content(status: int = 0, code: str = "", words: str = "") -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if status:
        facts = {"type": "about:blank", "title": TITLES[status], "status": status, "detail": words, "code": code}
        content["example"] = facts
    return {MEDIA_TYPE: content}


def _give_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    sent = operation.get("requestBody", {}).get("content", {}).get("application/json")
    # One of our own, or by fields.
    if sent and "examples" not in sent:
        sent.setdefault("example", example_of(sent["schema"], schemas, without="readOnly"))
    for answer in operation["responses"].values():
        content = answer.get("content", {}).get("application/json")
        if content and "examples" not in content:
            content.setdefault("example", example_of(content["schema"], schemas, without="writeOnly"))
