"""Files of recipients: each line becomes a message, made from a template and the values of the line.

A file is read line by line and never held as a whole, however long it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from messaging_service.sending.domain.validation import SendDraft
from messaging_service.shared.domain.states import Priority
from service_kit.csv_files.csv_reader import CsvProblem, CsvReader
from sms_cli.batch.recipients import in_e164
from sms_cli.batch.templates import Template
from sms_cli.shared.terminal_instants import parse_instant

RECIPIENT = "recipient"
OPTIONAL_COLUMNS = ("sender", "scheduled", "expires", "messageId", "tags")
"""Columns with a meaning of their own; each value may be empty. Every column may be a placeholder, too."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What all messages of a file have in common."""

    name: str
    """Message ids are made of it and of the line, so a repetition must use the same name."""
    template: Template
    user: str
    sender: str
    priority: Priority
    message_name: str | None
    tags: tuple[str, ...]
    recipient_column: str = RECIPIENT
    expires: datetime | None = None
    """When messages expire whose lines do not say; None for as long as messaging keeps trying."""
    country: str | None = None
    """Numbers that are not in E.164 are read as numbers of this country (ISO code); None refuses them."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """The message that one line of a file stands for."""

    line: int
    """The line on which it begins; the header is line 1."""
    draft: SendDraft


RowProblem = CsvProblem
"""What is wrong with one line; nothing of it is sent."""


def campaign_name(path: Path, text: str) -> str:
    """The name of sending this text to this file; it changes with the text and with any byte of the file."""
    digest = hashlib.sha256(hashlib.sha256(text.encode()).digest())
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"csv-{digest.hexdigest()[:32]}"


def read_rows(path: Path, campaign: Campaign) -> Iterator[BatchRow | RowProblem]:
    """The messages of a file, and the problems of lines that make none.

    A problem of the header is the only one then. Empty lines are skipped. Raises OSError.
    """
    with path.open("rb") as file:
        reader = _reader(file, campaign)
        if reader.problem is None and (problem := _header_problem(reader.header, campaign)):
            yield RowProblem(reader.header_line, problem)
            return
        for row in reader:
            if isinstance(row, RowProblem):
                yield row
            else:
                values = {name: value.strip() for name, value in row.cells.items()}
                yield from _row(row.line, values, campaign)


def unused_columns(path: Path, campaign: Campaign) -> list[str]:
    """Columns of a file without problems that neither the template nor the command uses."""
    with path.open("rb") as file:
        reader = _reader(file, campaign)
    known = {campaign.recipient_column, *OPTIONAL_COLUMNS, *campaign.template.names, *reader.aliases}
    return [name for name in reader.header if name not in known]


def _reader(file: IO[bytes], campaign: Campaign) -> CsvReader:
    return CsvReader(file, (campaign.recipient_column, *OPTIONAL_COLUMNS), open_ended=True)


def _header_problem(header: Sequence[str], campaign: Campaign) -> str | None:
    columns = ", ".join(header) or "none"
    if campaign.recipient_column not in header:
        return (
            f"the column {campaign.recipient_column} is missing; the columns are {columns}: name one of them "
            f"{RECIPIENT}, or say which it is with --recipient-column"
        )
    for name in campaign.template.names:
        if name not in header:
            return f"the text names {{{name}}}, which is no column; the columns are {columns}"
    return None


def _row(line: int, values: dict[str, str], campaign: Campaign) -> list[BatchRow | RowProblem]:
    """The message of a line, or everything that is wrong with the line."""
    problems: list[BatchRow | RowProblem] = [
        RowProblem(line, f"column {name} is empty, and the text needs it")
        for name in dict.fromkeys(campaign.template.names)
        if not values[name]
    ]
    instants: dict[str, datetime] = {}
    for name in ("scheduled", "expires"):
        if text := values.get(name):
            try:
                instants[name] = parse_instant(text)
            except ValueError as error:
                problems.append(RowProblem(line, f"column {name}: {error}"))
    if problems:
        return problems
    recipient = values[campaign.recipient_column]
    own_tags = (tag.strip() for tag in values.get("tags", "").split(";"))
    draft = SendDraft(
        user_id=campaign.user,
        recipient_phone_number=recipient if campaign.country is None else in_e164(recipient, campaign.country),
        message=campaign.template.render(values),
        sender_id=values.get("sender") or campaign.sender,
        message_name=campaign.message_name,
        message_id=values.get("messageId") or f"{campaign.name}:{line}",
        scheduled_time=instants.get("scheduled"),
        expires_time=instants.get("expires", campaign.expires),
        priority=campaign.priority,
        tags=(*campaign.tags, *filter(None, own_tags)),
    )
    return [BatchRow(line, draft)]
