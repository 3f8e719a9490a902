"""Files of recipients: one message for each line, made from a template and the line's values.

A file is read line by line, however long it is, and never held as a whole.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from messaging_service.domain.states import Priority
from messaging_service.domain.validation import SendDraft
from sms_cli.instants import parse_instant
from sms_cli.templates import Template

RECIPIENT = "recipient"
OPTIONAL_COLUMNS = ("sender", "scheduled", "expires", "messageId", "tags")
"""Columns that mean something by themselves; each value may be empty. Every column may be a placeholder, too."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What all messages of a file have in common."""

    name: str
    """The message ids are made of it and of the line, so it must stay the same in a repetition."""
    template: Template
    user: str
    sender: str
    priority: Priority
    message_name: str | None
    tags: tuple[str, ...]
    recipient_column: str = RECIPIENT
    expires: datetime | None = None
    """Until when messages are wanted whose lines do not say; None for as long as messaging keeps trying."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One line of a file as the message that it stands for."""

    line: int
    """Where it begins in the file; the header is line 1."""
    draft: SendDraft


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one line; nothing of it is sent."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


def campaign_name(path: Path, text: str) -> str:
    """Names the sending of this text to this file: another text or any other byte in the file has another name."""
    digest = hashlib.sha256(hashlib.sha256(text.encode()).digest())
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"csv-{digest.hexdigest()[:32]}"


def read_rows(path: Path, campaign: Campaign) -> Iterator[BatchRow | RowProblem]:
    """The messages of a file, and what keeps lines from being one; a header at fault is the only problem then.

    Empty lines are passed over. Raises OSError.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        line = 1
        try:
            header = [name.strip() for name in next(reader, [])]
            if problem := _header_problem(header, campaign):
                yield RowProblem(1, problem)
                return
            width = len(header)
            line = reader.line_num + 1
            for values in reader:
                stripped = [value.strip() for value in values]
                if len(stripped) > width:
                    yield RowProblem(line, f"has {len(stripped)} values for {width} columns; put quotes around commas")
                elif any(stripped):
                    stripped += [""] * (width - len(stripped))
                    yield from _row(line, dict(zip(header, stripped, strict=True)), campaign)
                # A value in quotes may go over several lines.
                line = reader.line_num + 1
        except csv.Error as error:
            yield RowProblem(line, f"is not CSV: {error}")
        except UnicodeDecodeError:
            yield RowProblem(line, "or one soon after it is not UTF-8 text; save the file as CSV in UTF-8")


def unused_columns(path: Path, campaign: Campaign) -> list[str]:
    """Columns of a good file that neither the template nor the command knows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = [name.strip() for name in next(csv.reader(file, strict=True), [])]
    known = {campaign.recipient_column, *OPTIONAL_COLUMNS, *campaign.template.names}
    return [name for name in header if name and name not in known]


def _header_problem(header: Sequence[str], campaign: Campaign) -> str | None:
    columns = ", ".join(filter(None, header)) or "none"
    if campaign.recipient_column not in header:
        return (
            f"the column {campaign.recipient_column} is missing; the columns are {columns}: name one of them "
            f"{RECIPIENT}, or say which it is with --recipient-column"
        )
    if repeated := {name for name in header if name and header.count(name) > 1}:
        return f"the column {min(repeated)} is there twice; rename one of them"
    for name in campaign.template.names:
        if name not in header:
            return f"the text names {{{name}}}, which is no column; the columns are {columns}"
    return None


def _row(line: int, values: dict[str, str], campaign: Campaign) -> list[BatchRow | RowProblem]:
    """The message of a line, or everything that keeps it from being one."""
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
    own_tags = (tag.strip() for tag in values.get("tags", "").split(";"))
    draft = SendDraft(
        user_id=campaign.user,
        recipient_phone_number=values[campaign.recipient_column],
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
