"""Files of prices: the meaning of their lines, and everything that is wrong with them."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TextIO, TypeVar

from service_kit.csv_files.csv_reader import CsvProblem, CsvReader, CsvRow
from service_kit.csv_files.csv_writer import FOR_ALL, CsvStyle, CsvWriter
from service_kit.identifiers import identifier_problem
from sms_cli.shared.kes_amounts import kes, parse_kes_cell
from sms_cli.shared.level_names import LEVEL_NAMES, parse_level
from sms_cli.shared.terminal_instants import exact, parse_instant
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

T = TypeVar("T")

REQUIRED_COLUMNS = ("level", "customerId", "appId", "pricePerSms", "effectiveFrom", "reason")
COLUMNS = (*REQUIRED_COLUMNS, "createdBy")
MAX_PRICE = Decimal(1_000_000)
MAX_REASON = 500
MAX_LINES = 100
"""The most lines that one error message names."""
_NEED_REASON = {pb.COST_LEVEL_TUKUPAY, pb.COST_LEVEL_SPECIFIC_CUSTOMER}
_ENTITY_COLUMNS = {"customerId": pb.COST_LEVEL_SPECIFIC_CUSTOMER, "appId": pb.COST_LEVEL_APP_OWNER}
"""Which column names the entity of which level."""
_ROW_FIELD = re.compile(r"(?:rows|drafts)\[(\d+)\]\.(\w+)")
_FIELD_COLUMNS = {
    "customer_id": "customerId",
    "app_id": "appId",
    "price_micros": "pricePerSms",
    "effective_from": "effectiveFrom",
    "created_by": "createdBy",
}
"""The columns of fields that have another name in a request."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One price of a file."""

    line: int
    """The line on which it begins; the header is line 1."""
    level: pb.CostLevel.ValueType
    customer: str | None
    app: str | None
    price: Decimal
    """KES for one unit."""
    effective_from: datetime
    reason: str | None
    author: str | None
    """None when the file does not say."""

    @property
    def entity(self) -> str:
        """The customer or app whose price it is; empty for the defaults."""
        return self.customer or self.app or ""


class CostFileError(ValueError):
    """A file has faulty lines; holds the problems of all of them, in order."""

    def __init__(self, problems: Sequence[CsvProblem]) -> None:
        super().__init__(some_lines([str(problem) for problem in problems]))
        self.problems = problems


def some_lines(lines: Sequence[str]) -> str:
    """The lines below one another; only the first of very many, because a terminal would lose the top."""
    more = len(lines) - MAX_LINES
    shown = lines if more <= 0 else [*lines[:MAX_LINES], f"and {more:,} more"]
    return "\n  ".join(shown)


def read_costs(
    content: str | bytes,
    *,
    allow_free: bool = False,
    need_reason: bool = True,
    guarded: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> list[FileRow]:
    """The prices in a file, with a header that names the columns; raises CostFileError.

    `guarded`: a `'` in front of what looks like a formula is the mark of an export, and is removed. `progress` is
    called with the number of the last line read, from time to time.
    """
    problems: list[CsvProblem] = []
    rows: list[FileRow] = []
    first: dict[tuple[int, str, datetime], int] = {}
    for read in _records(content, problems, need_reason=need_reason, guarded=guarded):
        line = read.line
        row = _row(line, read.cells, problems, allow_free=allow_free, need_reason=need_reason)
        if row is not None:
            earlier = first.setdefault((row.level, row.entity, row.effective_from), line)
            if earlier != line:
                problem = f"repeats the level, entity and effectiveFrom of line {earlier}; leave one of them out"
                problems.append(CsvProblem(line, problem))
            rows.append(row)
        if line % 500 == 0:
            progress(line)
    if not rows and not problems:
        problems.append(CsvProblem(1, "there is no price below the header"))
    if problems:
        raise CostFileError(sorted(problems, key=lambda problem: problem.line))
    return rows


def place_in_file(rows: Sequence[FileRow], field: str) -> str | None:
    """The place in the file of a field of a request made from these rows; None when it is not from the file."""
    match = _ROW_FIELD.fullmatch(field)
    if match is None or int(match[1]) >= len(rows):
        return None
    return f"line {rows[int(match[1])].line}: {_FIELD_COLUMNS.get(match[2], match[2])}"


def file_key(text: str, *options: object) -> str:
    """The idempotency key of importing this file with these options; it changes with either."""
    digest = hashlib.sha256("\0".join((text, *map(str, options))).encode())
    return f"file-{digest.hexdigest()}"


def cost_writer(file: TextIO, style: CsvStyle = FOR_ALL) -> Callable[[Iterable[pb.Cost]], None]:
    """Writes the header, and returns what writes prices; importing what it writes changes nothing."""
    writer = CsvWriter(file, COLUMNS, style, numbers=("pricePerSms",))

    def write(costs: Iterable[pb.Cost]) -> None:
        for cost in costs:
            writer.write(
                (
                    LEVEL_NAMES[cost.level],
                    cost.customer_id,
                    cost.app_id,
                    kes(cost.price_micros),
                    exact(cost.effective_from),
                    cost.reason,
                    cost.created_by,
                )
            )

    return write


def _records(content: str | bytes, problems: list[CsvProblem], *, need_reason: bool, guarded: bool) -> Iterator[CsvRow]:
    """Every line below the header with a value; `reason` may be empty where the file needs none."""
    octets = content.encode() if isinstance(content, str) else content
    reader = CsvReader(io.BytesIO(octets), COLUMNS, guarded=guarded)
    required = [name for name in REQUIRED_COLUMNS if need_reason or name != "reason"]
    missing = [name for name in required if name not in reader.header]
    if reader.problem is None and missing:
        wanted = f"the first line must name the columns: {','.join(REQUIRED_COLUMNS)}[,createdBy]"
        problems.append(CsvProblem(reader.header_line, f"the column {missing[0]} is missing; {wanted}"))
        return
    for row in reader:
        if isinstance(row, CsvProblem):
            problems.append(row)
        else:
            yield CsvRow(row.line, {"reason": ""} | dict(row.cells))


def _row(
    line: int, fields: Mapping[str, str], problems: list[CsvProblem], *, allow_free: bool, need_reason: bool
) -> FileRow | None:
    found: list[str] = []
    level = _parsed(parse_level, "level", fields["level"].strip(), found)
    price = _parsed(parse_kes_cell, "pricePerSms", fields["pricePerSms"].strip(), found)
    if price is not None and (problem := _price_problem(price, allow_free=allow_free)):
        found.append(f"pricePerSms {problem}")
    effective_from = _parsed(parse_instant, "effectiveFrom", fields["effectiveFrom"].strip(), found)
    if level is not None:
        found += _entity_problems(level, fields)
        if need_reason and level in _NEED_REASON and not fields["reason"].strip():
            found.append(f"reason is required for {LEVEL_NAMES[level]}: say why this price is set")
    if len(fields["reason"]) > MAX_REASON:
        found.append(f"reason has {len(fields['reason'])} characters; at most {MAX_REASON} are allowed")
    author = fields.get("createdBy", "")
    if author and (problem := identifier_problem(author)):
        found.append(f"createdBy {problem}")
    problems += [CsvProblem(line, problem) for problem in found]
    if level is None or price is None or effective_from is None:
        return None
    return FileRow(
        line,
        level,
        fields["customerId"] or None,
        fields["appId"] or None,
        price,
        effective_from,
        fields["reason"] if fields["reason"].strip() else None,
        author or None,
    )


def _parsed(parse: Callable[[str], T], column: str, text: str, found: list[str]) -> T | None:
    if not text:
        found.append(f"{column} is empty")
        return None
    try:
        return parse(text)
    except ValueError as error:
        found.append(f"{column} {error}")
        return None


def _price_problem(price: Decimal, *, allow_free: bool) -> str | None:
    if price == 0 and not allow_free:
        return "is 0; if free of charge is meant, add --allow-free"
    if not 0 <= price <= MAX_PRICE:
        return f"is {price:f}; prices lie between 0 and {MAX_PRICE:,} KES"
    return None


def _entity_problems(level: pb.CostLevel.ValueType, fields: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    for column, owner in _ENTITY_COLUMNS.items():
        value = fields[column]
        if level == owner and not value:
            found.append(f"{column} is required for {LEVEL_NAMES[level]}")
        elif level != owner and value:
            found.append(f"{column} does not belong to {LEVEL_NAMES[level]}; leave it empty")
        elif value and (problem := identifier_problem(value)):
            found.append(f"{column} {problem}")
    return found
