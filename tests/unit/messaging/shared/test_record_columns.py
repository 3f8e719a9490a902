"""Columns that are listed once: what statements select, and how their rows are read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy.dialects import postgresql

from messaging_service.sending.postgres.accept_messages import GIVEN, TYPES
from messaging_service.sending.postgres.message_tables import message
from messaging_service.shared.domain.message import Message
from messaging_service.shared.postgres.message_columns import MESSAGE
from messaging_service.shared.postgres.record_columns import RecordColumns, columns_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True)
class Thing:
    name: str
    colour: Colour
    trim: Colour | None
    tags: tuple[str, ...]
    size: Size
    cost: int


@dataclass(frozen=True)
class Box:
    inside: Size | None
    outside: Size


class More(NamedTuple):
    place: int
    owner: str


THING = RecordColumns(
    Thing,
    table="t",
    columns={"cost": "price"},
    sql={"cost": "t.price * 2"},
    read={"cost": lambda price: price + 1},
    parts={"size": RecordColumns(Size, columns={"height": "size_height"})},
)
ROW = ("chair", "red", None, ["a"], 3, 4, 10)
CHAIR = Thing("chair", Colour.RED, None, ("a",), Size(3, 4), 11)


def test_the_fields_say_what_is_selected() -> None:
    assert THING.sql == "t.name, t.colour, t.trim, t.tags, t.width, t.size_height, t.price * 2 AS price"


def test_words_tuples_and_parts_are_read_as_the_record_has_them() -> None:
    assert THING.read(ROW) == CHAIR
    assert THING.read(("chair", "red", "blue", ["a"], 3, 4, 10)).trim is Colour.BLUE


def test_a_part_that_may_be_missing_is_missing_without_its_first_column() -> None:
    box = RecordColumns(Box, parts={"inside": RecordColumns(Size), "outside": RecordColumns(Size)})
    assert box.sql == "width, height, width, height"
    numbered = box.reader(("width", "height"))
    assert numbered((3, 4)) == Box(Size(3, 4), Size(3, 4))
    assert numbered((None, 4)) == Box(None, Size(None, 4))  # type: ignore[arg-type]  # as a database may say


def test_rows_are_read_by_name_wherever_the_columns_stand() -> None:
    names = ("tags", "owner", "price", "size_height", "width", "trim", "colour", "name")
    assert THING.reader(names)((["a"], "me", 10, 4, 3, None, "red", "chair")) == CHAIR


def test_more_columns_may_follow() -> None:
    with_more = THING.plus(More, owner="o.owner", place="row_number() OVER ()")
    assert with_more.sql == f"{THING.sql}, row_number() OVER () AS place, o.owner AS owner"
    assert with_more.read((*ROW, 7, "me")) == (CHAIR, More(7, "me"))
    assert columns_of(More) == "place, owner"


def test_every_column_of_a_message_is_in_its_table_and_in_no_other_place() -> None:
    computed = {"earlier_charged", "earlier_refunded", "is_text_erased"}
    for_searching = {"recipient_index"}
    assert set(MESSAGE.names) - computed == set(message.c.keys()) - for_searching
    assert set(GIVEN) <= set(message.c.keys())
    assert len(MESSAGE.names) == len(fields(Message)) + 2


def test_types_of_what_an_acceptance_gives_are_those_of_the_table() -> None:
    short = {"timestamp with time zone": "timestamptz"}
    declared = {
        name: str(message.c[name].type.compile(postgresql.dialect())).lower()  # type: ignore[no-untyped-call]
        for name in (*GIVEN, "content", "recipient_index")
    }
    expected = {name: short.get(type_, type_) for name, type_ in declared.items()} | {"custom_data": "text"}
    assert {name: TYPES.get(name, "text") for name in expected} == expected
    assert set(TYPES) <= set(expected)
