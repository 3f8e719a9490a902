"""Reads from the source which SQL a package sends: the statements that can be named, and the places that build one.

A statement is named where `execute` or `Statement` takes it: a constant of a module, or of one that is imported, or a
text. A function may take it as a parameter; then its callers in the same module are read. Whatever else is sent is
built when it is asked for, and the function that does so is named instead.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from service_kit.postgres.pipeline import Statement, Step

ROOT = Path(__file__).parents[2]
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Place:
    """A function that sends SQL."""

    module: str
    function: str
    """Its qualified name."""


@dataclass(slots=True)
class Sql:
    """What the source sends."""

    named: dict[str, Place] = field(default_factory=dict)
    """The texts of statements, each with a place that sends it."""
    built: set[Place] = field(default_factory=set)
    """The places that send something else."""


def modules_below(*folders: str) -> list[str]:
    """The modules of folders, which may hold wildcards."""
    paths = sorted(path for folder in folders for path in ROOT.glob(f"{folder}/*.py") if path.name != "__init__.py")
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]


def sql_of(modules: Sequence[str]) -> Sql:
    """Everything that the modules send."""
    found = Sql()
    for name in modules:
        _Reader(importlib.import_module(name), found).read()
    return found


class _Reader:
    """Reads one module."""

    def __init__(self, module: ModuleType, found: Sql) -> None:
        assert module.__file__ is not None
        self._module = module
        self._found = found
        self._tree = ast.parse(Path(module.__file__).read_text("utf-8"))
        self._calls = list(_calls_in(self._tree, None, ""))

    def read(self) -> None:
        """Notes what the module sends."""
        for value in vars(self._module).values():
            statement = value.statement if isinstance(value, Step) else value
            if isinstance(statement, Statement):
                self._found.named.setdefault(statement.text.decode(), Place(self._module.__name__, ""))
        for call in self._calls:
            if call.name == "execute" or (call.name == "Statement" and self._prepares(call)):
                self._note(call, call.argument(0, "query"))

    def _prepares(self, call: _Call) -> bool:
        """Whether a call makes a Statement that the module does not keep; the others were found among its values."""
        return call.function is not None and vars(self._module).get("Statement") is Statement

    def _note(self, call: _Call, sent: ast.expr | None) -> None:
        if isinstance(sent, ast.Call) and isinstance(sent.func, ast.Attribute) and sent.func.attr == "encode":
            self._note(call, sent.func.value)
            return
        if call.function is not None and isinstance(sent, ast.Name) and sent.id in _parameters(call.function):
            for other in self._calls:
                if other.name == call.function.name and other.qualified != call.qualified:
                    self._note(other, other.argument(_parameters(call.function).index(sent.id), sent.id))
            return
        texts = self._texts(call.function, sent)
        place = Place(self._module.__name__, call.qualified)
        for text in texts or ():
            self._found.named.setdefault(text, place)
        if texts is None:
            self._found.built.add(place)

    def _texts(self, function: _Function | None, sent: ast.expr | None) -> list[str] | None:
        """The statements that an expression stands for; None when it builds one."""
        match sent:
            case ast.Constant(value=text):
                return [text] if isinstance(text, str) else []
            case ast.IfExp(body=body, orelse=orelse):
                return self._all_texts(function, [body, orelse])
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if hasattr(self._module, name):
                return _text_in(getattr(self._module, name), attribute)
            case ast.Name(id=name):
                assigned = [] if function is None else list(_assigned(function, name))
                return self._all_texts(function, assigned) if assigned else _text_in(self._module, name)
        return None

    def _all_texts(self, function: _Function | None, sent: Sequence[ast.expr | None]) -> list[str] | None:
        parts = [self._texts(function, each) for each in sent]
        return None if None in parts else [text for part in parts if part for text in part]


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    node: ast.Call
    function: _Function | None
    qualified: str

    def argument(self, position: int, name: str) -> ast.expr | None:
        by_name = {keyword.arg: keyword.value for keyword in self.node.keywords}
        found = self.node.args[position] if len(self.node.args) > position else by_name.get(name)
        # What is left out has a default of None: nothing is sent.
        return found or ast.Constant(None)


def _calls_in(node: ast.AST, function: _Function | None, qualified: str) -> Iterator[_Call]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            name = child.func.attr if isinstance(child.func, ast.Attribute) else getattr(child.func, "id", "")
            yield _Call(name, child, function, qualified)
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            prefix = f"{qualified}.<locals>." if function is not None else f"{qualified}." if qualified else ""
            yield from _calls_in(child, child, prefix + child.name)
        elif isinstance(child, ast.ClassDef):
            yield from _calls_in(child, None, f"{qualified}.{child.name}" if qualified else child.name)
        else:
            yield from _calls_in(child, function, qualified)


def _parameters(function: _Function) -> list[str]:
    arguments = function.args
    return [each.arg for each in (*arguments.args, *arguments.kwonlyargs) if each.arg != "self"]


def _assigned(function: _Function, name: str) -> Iterator[ast.expr | None]:
    """What a name is given within a function; None where that cannot be read."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    yield node.value
                elif any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(target)):
                    yield None
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension | ast.AnnAssign | ast.AugAssign) and any(
            isinstance(each, ast.Name) and each.id == name for each in ast.walk(node.target)
        ):
            yield node.value if isinstance(node, ast.AnnAssign) else None


def _text_in(owner: object, name: str) -> list[str] | None:
    text = getattr(owner, name, None)
    return [text] if isinstance(text, str) else None
