"""An example of whatever the description describes: by the name of a field, else by its type."""

from typing import Any

_ID = "0e5a7c52-6b1d-4c35-9a57-3d2f8f0b6a11"
_SITE = "https://photos.example.org"
_URL = f"{_SITE}/api/v1/albums/{_ID}/"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_BY_NAME: dict[str, Any] = {
    "accent": "#a53a1d", "album_title": "Nina and Tom at the lake", "brand_name": "Studio Seagull", "bytes": 48_210_344,
    "code": "", "colour": "#8a7f6d", "content_type": "image/jpeg", "count": 17, "detail": "",
    "face_count": 3, "folder": "ceremony", "guest_key": "m1Jc1q0vX2nS1oZb0w7cRr8m7lX3k2yJYb4n5QfYdkE", "height": 4000,
    "name": "IMG_0042.jpg", "next": None, "path": "ceremony/IMG_0042.jpg", "previous": None, "sha256": _SHA256,
    "size": 6_120_448, "taken_at": "2026-06-20T15:04:05", "title": "Nina and Tom at the lake", "width": 6000,
    "token": "N0vX2nS1oZb0w7cRr8m7lX3k2yJYb4n5QfYdkEm1Jc1", "welcome": "How lovely that you were there.",
    "missing": [_SHA256], "duplicate": [], "scopes": ["read", "upload"], "password": "a word for the guests",
    "coverage": [2, 5, 9, 31], "day": "2026-06-20", "outcome": "done", "guest_label": "5f2a90c1",
    "network_label": "b07de4a2", "logo_url": None, "original": None, "role": "owner",
    "cover": None, "attested": True, "face_search": True, "persons_a_guest": 1, "enabled": True, "can_download": True,
    "keep_me_posted": True, "expires_at": None, "max_uses": None,
}  # fmt: skip
_BY_FORMAT = {
    "uuid": _ID,
    "date": "2026-06-20",
    "date-time": "2026-06-20T18:30:00Z",
    "uri": _URL,
    "email": "anna@example.org",
}
_BY_TYPE: dict[str, Any] = {"string": "", "integer": 7, "number": 0.5, "boolean": False}


def example_of(schema: dict[str, Any], schemas: dict[str, Any], *, without: str, name: str = "") -> Any:
    """`without`: readOnly for what is sent, writeOnly for what is answered."""
    if ref := schema.get("$ref"):
        return example_of(schemas[ref.rpartition("/")[2]], schemas, without=without, name=name)
    for several in ("allOf", "oneOf", "anyOf"):
        if several in schema:
            return example_of(schema[several][0], schemas, without=without, name=name)
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        parts = schema["properties"].items()
        return {
            key: example_of(part, schemas, without=without, name=key) for key, part in parts if not part.get(without)
        }
    return _plain(schema, schemas, without, name)


def _plain(schema: dict[str, Any], schemas: dict[str, Any], without: str, name: str) -> Any:
    kind = schema.get("type")
    known = _BY_NAME.get(name, _URL if name.endswith("url") else None)
    if (name in _BY_NAME or known) and _fits(known, schema):
        return known
    if kind == "array":
        return [example_of(schema["items"], schemas, without=without)]
    if kind == "object":
        return {}
    if "format" in schema and schema["format"] in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    return schema.get("default", _BY_TYPE.get(str(kind)))


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    if value is None:
        return bool(schema.get("nullable"))
    kinds = {"string": str, "integer": int, "array": list, "boolean": bool}
    plain = not isinstance(value, list) or schema.get("items", {}).get("type") in ("string", "integer")
    return plain and isinstance(value, kinds.get(str(schema.get("type")), ()))
