"""Every way there is to break the access rule: each condition turned round, dropped or made to hold always, each check
skipped, each role and scope given a little more or less.
"""

import ast
import copy
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from galleries.access import Action, rule

# What finds out who asks, and what does not decide: addresses, cookies as they are written, words.
_NOT_THE_RULE = {
    # The last: whose link a download is counted for.
    "address_of", "is_our_proxy", "_parsed", "remember_guest", "guest_key_of", "forget_guest", "require_metrics_reader",
    "lending_link",
}  # fmt: skip
_MODULES = ("rule", "__init__", "viewer")
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
    for name in _MODULES:
        path = Path("galleries/access") / f"{name}.py"
        module = importlib.import_module("galleries.access" + ("" if name == "__init__" else f".{name}"))
        tree = ast.parse(path.read_text())
        for function in [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]:
            if function.name not in _NOT_THE_RULE:
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
