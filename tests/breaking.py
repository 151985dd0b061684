"""What of a change of the API's description breaks a client that was written by the one before.

Sent: a parameter or field gone, newly required, or taking less. Answered: a route, status, type or field gone, a field
that need not be there any more, or may be null now. More is no break.
"""

from collections.abc import Iterator
from typing import Any

Described = dict[str, Any]
# In what is sent a bound may only give way: the name, and whether a larger number takes less.
_BOUNDS = {
    "maximum": False,
    "maxLength": False,
    "maxItems": False,
    "minimum": True,
    "minLength": True,
    "minItems": True,
}


def breaking(old: Described, new: Described) -> list[str]:
    return list(_Change(old, new).breaks())


class _Change:
    def __init__(self, old: Described, new: Described) -> None:
        self._old, self._new = old, new

    def breaks(self) -> Iterator[str]:
        for path, operations in self._old["paths"].items():
            there = self._new["paths"].get(path, {})
            for method, operation in operations.items():
                where = f"{method.upper()} {path}"
                if method in there:
                    yield from self._of_operation(operation, there[method], where)
                else:
                    yield f"{where} is gone"

    def _of_operation(self, old: Described, new: Described, where: str) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{where} has another operationId, which generated clients call it by"
        before, now = (self._parameters(each) for each in (old, new))
        yield from (f"{where}: parameter {name} is gone" for name in before.keys() - now.keys())
        for name, parameter in now.items():
            known = before.get(name, {})
            if parameter.get("required") and not known.get("required"):
                yield f"{where}: parameter {name} is required now"
            if known:
                yield from self._of_schema(known["schema"], parameter["schema"], f"{where}: {name}", sent=True)
        yield from self._of_body(old.get("requestBody", {}), new.get("requestBody", {}), where)
        yield from self._of_answers(old["responses"], new["responses"], where)

    def _parameters(self, operation: Described) -> dict[str, Any]:
        return {f"{each['in']} {each['name']}": each for each in operation.get("parameters", [])}

    def _of_body(self, old: Described, new: Described, where: str) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{where}: a body is required now"
        yield from self._of_content(old.get("content", {}), new.get("content", {}), where, sent=True)

    def _of_answers(self, old: Described, new: Described, where: str) -> Iterator[str]:
        for status, answer in old.items():
            if status.startswith("2"):
                if status in new:
                    content = new[status].get("content", {})
                    yield from self._of_content(answer.get("content", {}), content, f"{where} {status}", sent=False)
                else:
                    yield f"{where}: {status} is gone"

    def _of_content(self, old: Described, new: Described, where: str, *, sent: bool) -> Iterator[str]:
        for kind, content in old.items():
            if kind in new:
                yield from self._of_schema(content["schema"], new[kind]["schema"], where, sent=sent)
            else:
                yield f"{where}: {kind} is gone"

    def _of_schema(self, old: Described, new: Described, where: str, *, sent: bool) -> Iterator[str]:
        before, now = _whole(old, self._old), _whole(new, self._new)
        if before.get("type") != now.get("type") or before.get("format") != now.get("format"):
            yield f"{where} is {_kind(now)}, not {_kind(before)} any more"
            return
        yield from _narrowed(before, now, where) if sent else _widened(before, now, where)
        fields, there = before.get("properties", {}), now.get("properties", {})
        yield from (f"{where}.{name} is gone" for name in fields.keys() - there.keys())
        for name in fields.keys() & there.keys():
            yield from self._of_schema(fields[name], there[name], f"{where}.{name}", sent=sent)
        if "items" in before and "items" in now:
            yield from self._of_schema(before["items"], now["items"], f"{where}[]", sent=sent)


def _whole(schema: Described, description: Described) -> Described:
    """The schema itself, instead of references and choices."""
    if ref := schema.get("$ref"):
        return _whole(description["components"]["schemas"][ref.rpartition("/")[2]], description)
    for several in ("allOf", "oneOf"):
        if several in schema:
            parts = [_whole(part, description) for part in schema[several]]
            words = [word for part in parts for word in part.get("enum", [])]
            return {**parts[0], **({"enum": words} if words else {}), "nullable": schema.get("nullable", None in words)}
    return schema


def _kind(schema: Described) -> str:
    return " ".join(filter(None, [schema.get("type"), schema.get("format")])) or "anything"


def _narrowed(old: Described, new: Described, where: str) -> Iterator[str]:
    """Of what is sent."""
    yield from (f"{where}.{name} is required now" for name in _required(new, "readOnly") - _required(old, "readOnly"))
    if old.get("nullable") and not new.get("nullable"):
        yield f"{where} may not be null any more"
    if "enum" in new and set(old.get("enum", ["anything"])) - set(new["enum"]):
        yield f"{where} takes fewer words"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield f"{where} has to look otherwise"
    for bound, larger_is_less in _BOUNDS.items():
        before, now = old.get(bound), new.get(bound)
        if now is not None and (before is None or (now > before if larger_is_less else now < before)):
            yield f"{where} takes less: {bound} {now}"


def _widened(old: Described, new: Described, where: str) -> Iterator[str]:
    """Of what is answered."""
    yield from (f"{where}.{name} may be left out now" for name in _required(old, "writeOnly") - _required(new, ""))
    if new.get("nullable") and not old.get("nullable"):
        yield f"{where} may be null now"


def _required(schema: Described, but: str) -> set[str]:
    return {name for name in schema.get("required", []) if not schema.get("properties", {}).get(name, {}).get(but)}
