"""Reads from the source which reasons can be raised: those of ServiceError, ProblemError and Violation.

A reason is written where it is raised, as a constant of the package's file of reasons, or of a table of the module. A
function may take it as a parameter; then its callers are read. A family of endpoints has its own; then all of them are
meant. What passes on the `reason` of another failure adds none. Anything else is an error here, because nobody could
tell what is raised.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from service_kit.errors import Kind

ROOT = Path(__file__).parents[2]
PACKAGES = ("service_kit", "pricing_service", "messaging_service", "gateway_http")

_RAISERS = {"ServiceError": 1, "ProblemError": 0, "Violation": 1, "Refusal": 1}
"""Where each takes its reason; a Refusal is what the HTTP server answers by itself."""
# These make failures anew from what a peer sent.
_PASS_ON = {("service_kit/grpc/grpc_errors.py", "from_rpc_error")}


@dataclass(frozen=True, slots=True)
class Raised:
    """One place that raises one reason."""

    reason: str
    by: str
    """The class of the failure."""
    where: str
    """File and line."""
    kind: Kind | None = None
    """Of a ServiceError; None for the others, and where it is not written out."""


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    node: ast.Call
    function: ast.FunctionDef | ast.AsyncFunctionDef | None
    file: str

    def argument(self, position: int, name: str) -> ast.expr | None:
        by_name = {keyword.arg: keyword.value for keyword in self.node.keywords}
        return self.node.args[position] if len(self.node.args) > position else by_name.get(name)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.node.lineno}"


@cache
def raised() -> frozenset[Raised]:
    """Everything that can be raised. Raises ValueError for a reason that cannot be read."""
    calls = _calls()
    found: set[Raised] = set()
    through: dict[tuple[str, str], tuple[int, str]] = {}
    for call in calls:
        if call.name in _RAISERS:
            reason = call.argument(_RAISERS[call.name], "reason")
            parameter = _parameter(call, reason)
            if call.function is not None and parameter is not None:
                through[call.file, call.function.name] = (parameter, call.name)
            else:
                found |= {Raised(r, call.name, call.where, _kind(call)) for r in _reasons(call, reason)}
    for call in calls:
        for (file, function), (position, by) in through.items():
            if call.name == function and (call.file == file or not function.startswith("_")):
                reason = call.argument(position, "reason")
                if isinstance(reason, ast.Attribute) and ast.unparse(reason.value) == "reasons":
                    found |= {Raised(each, by, call.where) for each in _reasons(call, reason)}
    return frozenset(found)


@cache
def _calls() -> tuple[_Call, ...]:
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return tuple(
        call
        for path in files
        for call in _calls_in(ast.parse(path.read_text("utf-8")), None, path.relative_to(ROOT).as_posix())
    )


def _calls_in(node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef | None, file: str) -> Iterator[_Call]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            name = child.func.attr if isinstance(child.func, ast.Attribute) else getattr(child.func, "id", "")
            yield _Call(name, child, function, file)
        inner = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from _calls_in(child, inner, file)


def _parameter(call: _Call, reason: ast.expr | None) -> int | None:
    """The place among its function's parameters, without `self`, that a reason comes from; None for no parameter."""
    if call.function is None or not isinstance(reason, ast.Name):
        return None
    names = [argument.arg for argument in call.function.args.args if argument.arg != "self"]
    return names.index(reason.id) if reason.id in names else None


def _reasons(call: _Call, reason: ast.expr | None) -> set[str]:
    if isinstance(reason, ast.IfExp):
        return _reasons(call, reason.body) | _reasons(call, reason.orelse)
    if isinstance(reason, ast.Attribute) and reason.attr == "reason":
        return set()
    if call.function is not None and (call.file, call.function.name) in _PASS_ON:
        return set()
    table = isinstance(reason, ast.Subscript)
    value = _value(_module(call.file), reason.value if isinstance(reason, ast.Subscript) else reason)
    if table and isinstance(value, Mapping):
        return {str(each) for each in value.values()}
    if isinstance(value, str) and not table:
        return {str(value)}
    if isinstance(reason, ast.Attribute) and ast.unparse(reason.value).startswith("self."):
        of_families = _of_families(reason.attr)
        if of_families:
            return set(of_families)
    written = "nothing" if reason is None else ast.unparse(reason)
    raise ValueError(f"{call.where}: {written} does not tell which reason is raised; use one of reasons.py")


@cache
def _of_families(name: str) -> frozenset[str]:
    """The reasons that the families of endpoints have under a name."""
    families = [call for call in _calls() if call.name == "FamilyReasons"]
    return frozenset(str(_value(_module(call.file), call.argument(99, name))) for call in families)


def _kind(call: _Call) -> Kind | None:
    kind = call.argument(0, "kind") if call.name == "ServiceError" else None
    return Kind[kind.attr] if isinstance(kind, ast.Attribute) and kind.attr in Kind.__members__ else None


def _module(file: str) -> ModuleType:
    return importlib.import_module(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def _value(owner: object, expression: ast.expr | None) -> object:
    """What a name, or a chain of attributes from a name, stands for in a module; None for anything else."""
    if isinstance(expression, ast.Name):
        return getattr(owner, expression.id, None)
    if isinstance(expression, ast.Attribute):
        return getattr(_value(owner, expression.value), expression.attr, None)
    return None
