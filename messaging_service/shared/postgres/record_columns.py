"""Columns listed once: the fields of a record say what a statement selects, and how its rows are read.

Rows are read by the names of their columns. Where each column stands is looked up once, when a module is imported, so
that reading a row costs no more than picking its values by number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from operator import itemgetter
from types import NoneType, UnionType
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

Row = tuple[Any, ...]
Read = Callable[[Any], Any]
Record = TypeVar("Record")
More = TypeVar("More", bound=NamedTuple)


class RecordColumns(Generic[Record]):
    """The columns of a dataclass or NamedTuple: one a field, or several for a field that is a record itself."""

    def __init__(
        self,
        record: type[Record],
        *,
        table: str = "",
        columns: Mapping[str, str] | None = None,
        sql: Mapping[str, str] | None = None,
        read: Mapping[str, Read] | None = None,
        parts: Mapping[str, RecordColumns[Any]] | None = None,
    ) -> None:
        """`table`: the alias that the columns are selected from; empty for none.

        By field, where it is not what the field says by itself: `columns`, the name of its column; `sql`, the
        expression that gives it; `read`, what makes its value out of PostgreSQL's; `parts`, the columns of a record,
        which is None where it may be and its first column is NULL.
        A field that is an enumeration of words or a tuple is read as such.
        """
        self._record = record
        self._table = table
        self._columns = columns or {}
        self._sql = sql or {}
        self._parts = parts or {}
        self._fields = _fields_of(record)
        hints = get_type_hints(record)
        self._optional = {field for field in self._parts if NoneType in get_args(hints[field])}
        by_type = {field: _reading(hints[field]) for field in self._fields}
        self._read = {field: change for field, change in (by_type | dict(read or {})).items() if change is not None}
        self.names: tuple[str, ...] = tuple(
            name
            for field in self._fields
            for name in (self._parts[field].names if field in self._parts else [self._name(field)])
        )
        """The columns, in the order of the fields."""
        self.read: Callable[[Row], Record] = self.reader(self.names)
        """The record in a row of these columns; whatever follows them is ignored."""

    @property
    def sql(self) -> str:
        """The columns as a statement selects them, each with its name."""
        return ", ".join(self._selected(self._table))

    def reader(self, names: Sequence[str]) -> Callable[[Row], Record]:
        """What reads rows whose columns have these names, in this order; others may be among them."""
        place = {name: number for number, name in enumerate(names)}
        firsts = [self._parts[field].names[0] if field in self._parts else self._name(field) for field in self._fields]
        pick = itemgetter(*(place[name] for name in firsts))
        changes = [(self._fields.index(field), read) for field, read in self._read.items() if field not in self._parts]
        made = [
            (self._fields.index(field), part.reader(names), field in self._optional)
            for field, part in self._parts.items()
        ]
        record = self._record

        def read_row(row: Row) -> Record:
            values = [*pick(row)]
            for number, change in changes:
                values[number] = change(values[number])
            for number, make, is_optional in made:
                if not (is_optional and values[number] is None):
                    values[number] = make(row)
            return record(*values)

        return read_row

    def plus(self, more: type[More], **sql: str) -> WithMore[Record, More]:
        """The same columns and some more, each with the expression that gives it."""
        return WithMore(self, more, sql)

    def _name(self, field: str) -> str:
        return self._columns.get(field, field)

    def _selected(self, table: str) -> list[str]:
        selected: list[str] = []
        for field in self._fields:
            if field in self._parts:
                selected += self._parts[field]._selected(table)  # noqa: SLF001 - of the same class
            elif field in self._sql:
                selected.append(f"{self._sql[field]} AS {self._name(field)}")
            else:
                selected.append(f"{table}.{self._name(field)}" if table else self._name(field))
        return selected


class WithMore(Generic[Record, More]):
    """What a statement selects: a record, and more columns."""

    def __init__(self, record: RecordColumns[Record], more: type[More], sql: Mapping[str, str]) -> None:
        self.sql = ", ".join([record.sql, *(f"{sql[name]} AS {name}" for name in more._fields)])
        """The columns as a statement selects them, each with its name."""
        self._read = record.read
        self._width = len(record.names)
        self._more = more._make

    def read(self, row: Row) -> tuple[Record, More]:
        """The record in a row, and the other columns."""
        return self._read(row), self._more(row[self._width :])


def columns_of(row: type[NamedTuple]) -> str:
    """The columns that a row of a statement has, as the statement selects them."""
    return ", ".join(row._fields)


def _fields_of(record: type[Any]) -> list[str]:
    if issubclass(record, tuple):
        return list(record._fields)  # type: ignore[attr-defined]  # of a NamedTuple
    return [field.name for field in fields(record)]


def _reading(hint: Any) -> Read | None:  # noqa: ANN401 - a type hint
    """What makes a value of the type out of PostgreSQL's; None where it is the same."""
    choices = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    for choice in choices:
        if isinstance(choice, type) and issubclass(choice, StrEnum):
            words: dict[str | None, StrEnum | None] = {word.value: word for word in choice}
            return (words | {None: None} if NoneType in choices else words).__getitem__
        if get_origin(choice) is tuple:
            return _tuple_or_none if NoneType in choices else tuple
    return None


def _tuple_or_none(value: list[Any] | None) -> tuple[Any, ...] | None:
    return None if value is None else tuple(value)
