"""Options that several commands have, and the parsing of their values with readable refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from service_kit.csv_files.csv_writer import CsvStyle
from sms_cli.shared.terminal_instants import parse_instant

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Bom = Annotated[bool, typer.Option("--bom", help="Begin CSV with the mark by which Excel knows UTF-8.")]
Raw = Annotated[
    bool, typer.Option("--raw", help="CSV for programs: without the ' that keeps spreadsheets from running a text.")
]
RawFile = Annotated[
    bool,
    typer.Option("--raw", help="The file was exported with --raw: every ' in it belongs to a value."),
]


def csv_style(*, raw: bool, bom: bool) -> CsvStyle:
    """How a CSV file is written."""
    return CsvStyle(guarded=not raw, bom=bom)


class Lane(StrEnum):
    """The lane of a message."""

    normal = "normal"
    high = "high"


def parsed(parse: Callable[[str], T], name: str, text: str) -> T:
    """The parsed value of an option or argument; raises BadParameter with the parser's sentence."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from None


def instant_option(name: str, text: str | None) -> datetime | None:
    """The instant of an option; None when it was not given."""
    return None if text is None else parsed(parse_instant, name, text)
