"""Calls to the suppression list of messaging, and its entries as records and files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from grpc import aio

from messaging_service.shared.phone_numbers import masked
from service_kit.csv_files.csv_reader import CsvProblem, CsvReader, CsvRow
from service_kit.csv_files.csv_writer import FOR_ALL, CsvStyle, CsvWriter
from service_kit.settings import Address
from sms_cli.shared.call_failures import readable_errors
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.enum_words import enum_word, enum_words
from sms_cli.shared.service_calls import messaging_stub
from sms_cli.shared.terminal_instants import exact
from tukupay.sms.messaging.v1 import suppressions_pb2 as pb
from tukupay.sms.messaging.v1 import suppressions_pb2_grpc

COLUMNS = ("phoneNumber", "senderId", "userId", "reason")
EXPORTED = (*COLUMNS, "source", "createdBy", "createdAt")
_DEADLINE_S = 30.0
_AT_ONCE = 16
_PAGE = 500

SOURCES = enum_words(pb.SuppressionSource)


@dataclass(frozen=True, slots=True)
class FileRow:
    """One line of a file of opt-outs."""

    line: int
    phone: str
    sender: str | None
    user: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of importing a file."""

    created: int
    known: int
    """Entries that were on the list before."""
    cancelled: int
    """Queued messages that were cancelled."""
    problems: Sequence[str]
    """One for each line that was refused, in the order of the lines."""


MAX_LINES = 1_000_000
"""The most lines of a file of opt-outs, which is held in memory."""


def read_rows(path: Path, *, guarded: bool = True) -> list[FileRow]:
    """The lines of a file with at least a column `phoneNumber`. Raises CommandError that says what is wrong.

    `guarded`: a `'` in front of what looks like a formula is the mark of an export, and is removed.
    """
    rows: list[FileRow] = []
    try:
        with path.open("rb") as file:
            reader = CsvReader(file, EXPORTED, guarded=guarded)
            if reader.problem is None and "phoneNumber" not in reader.header:
                raise CommandError(f"{path} has no column phoneNumber", f"name columns among {', '.join(EXPORTED)}")
            for row in reader:
                if isinstance(row, CsvProblem):
                    raise CommandError(f"{path}, {row}", "correct the file and try again; nothing was changed")
                if len(rows) == MAX_LINES:
                    raise CommandError(f"{path} has more than {MAX_LINES:,} lines", "split the file")
                rows.append(_file_row(row))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", "check the name of the file") from None
    return rows


def _file_row(row: CsvRow) -> FileRow:
    values = {name: value.strip() or None for name, value in row.cells.items()}
    return FileRow(
        row.line,
        values["phoneNumber"] or "",
        values.get("senderId"),
        values.get("userId"),
        values.get("reason"),
    )


def entry_writer(file: TextIO, style: CsvStyle = FOR_ALL) -> Callable[[Sequence[pb.Suppression]], None]:
    """Writes the header, and returns what writes entries as lines that `read_rows` reads."""
    writer = CsvWriter(file, EXPORTED, style)

    def write(entries: Sequence[pb.Suppression]) -> None:
        for entry in entries:
            record = entry_record(entry, full=True)
            writer.write(record[name] for name in EXPORTED)

    return write


def entry_record(entry: pb.Suppression, *, full: bool) -> dict[str, object]:
    """The entry for JSON; without `full` most of the phone number is hidden."""
    record: dict[str, object] = {
        "suppressionId": entry.suppression_id,
        "phoneNumber": entry.phone_number if full else masked(entry.phone_number),
        "senderId": entry.sender_id if entry.HasField("sender_id") else None,
        "userId": entry.user_id if entry.HasField("user_id") else None,
        "source": source_word(entry.source),
        "reason": entry.reason,
        "createdBy": entry.created_by,
        "createdAt": exact(entry.created_time),
    }
    if entry.HasField("ending"):
        record["ending"] = {
            "endedAt": exact(entry.ending.ended_time),
            "source": source_word(entry.ending.source),
            "endedBy": entry.ending.ended_by,
            "reason": entry.ending.reason,
        }
    return record


def source_word(source: pb.SuppressionSource.ValueType) -> str:
    """The source as the terminal shows it."""
    return enum_word(pb.SuppressionSource, source)


class SuppressionList:
    """The suppression list of messaging, over an open stub."""

    def __init__(self, messaging: Address, stub: suppressions_pb2_grpc.SuppressionServiceAsyncStub) -> None:
        self._messaging = messaging
        self._stub = stub

    async def add(self, row: FileRow, reason: str, by: str) -> pb.AddSuppressionResponse:
        """Adds an entry in the name of an operator."""
        request = pb.AddSuppressionRequest(
            phone_number=row.phone,
            sender_id=row.sender,
            user_id=row.user,
            source=pb.SUPPRESSION_SOURCE_OPERATOR,
            reason=row.reason or reason,
            created_by=by,
        )
        return await self._stub.AddSuppression(request)

    async def add_all(self, rows: Sequence[FileRow], reason: str, by: str, progress: Callable[[int], None]) -> Imported:
        """Adds an entry for each line; a refused line does not stop the others.

        Raises CommandError when messaging does not answer.
        """
        answers: list[pb.AddSuppressionResponse] = []
        problems: dict[int, str] = {}
        waiting = iter(rows)

        async def work() -> None:
            for row in waiting:
                try:
                    with readable_errors("messaging", self._messaging):
                        answers.append(await self.add(row, reason, by))
                except CommandError as error:
                    if not _is_refusal(error):
                        raise
                    problems[row.line] = f"line {row.line}: {error}"
                progress(len(answers) + len(problems))

        await asyncio.gather(*(work() for _ in range(min(_AT_ONCE, len(rows)))))
        created = sum(answer.created for answer in answers)
        return Imported(
            created,
            len(answers) - created,
            sum(answer.cancelled_messages for answer in answers),
            [problems[line] for line in sorted(problems)],
        )

    async def end(self, suppression_id: str, reason: str, by: str) -> pb.Suppression:
        """Ends an entry in the name of an operator."""
        request = pb.RemoveSuppressionRequest(
            suppression_id=suppression_id, source=pb.SUPPRESSION_SOURCE_OPERATOR, reason=reason, ended_by=by
        )
        return (await self._stub.RemoveSuppression(request)).suppression

    async def pages(self, wanted: pb.ListSuppressionsRequest, limit: int) -> AsyncGenerator[list[pb.Suppression], None]:
        """Entries, newest first, at most `limit`, in pages."""
        wanted.page_size, left = min(_PAGE, limit), limit
        while left > 0:
            page = await self._stub.ListSuppressions(wanted)
            yield list(page.suppressions[:left])
            left -= len(page.suppressions)
            wanted.page_token = page.next_page_token
            if not page.next_page_token:
                return


def _is_refusal(error: CommandError) -> bool:
    """Whether the line is at fault, and not the connection or the service."""
    cause = error.__cause__
    return isinstance(cause, aio.AioRpcError) and cause.code().name == "INVALID_ARGUMENT"


@asynccontextmanager
async def suppression_list(messaging: Address) -> AsyncGenerator[SuppressionList, None]:
    """The suppression list over a connection of its own. Calls that fail inside raise CommandError."""
    service = suppressions_pb2_grpc.SuppressionServiceStub
    async with messaging_stub(messaging, service, deadline_s=_DEADLINE_S) as stub:
        yield SuppressionList(messaging, stub)
