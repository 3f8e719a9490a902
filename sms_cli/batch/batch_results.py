"""The outcome of each line of a file, in a CSV file that grows as answers come, and the totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from service_kit.csv_files.csv_reader import CsvProblem, CsvReader
from service_kit.csv_files.csv_writer import CsvWriter
from sms_cli.batch.batch_files import BatchRow
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.kes_amounts import kes
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

COLUMNS = ("campaign", "line", "messageId", "outboxId", "status", "smsUnits", "cost", "replayed", "error")
_PAID = {pb.BILLING_STATE_HELD, pb.BILLING_STATE_CHARGED}
_STATUSES = {pb.SMS_STATUS_SENT: "sent", pb.SMS_STATUS_PENDING: "pending", pb.SMS_STATUS_FAILED: "failed"}
ERROR = "error"
"""The status of a line that is not on record."""


@dataclass
class Totals:
    """The totals of the results so far."""

    statuses: Counter[str] = field(default_factory=Counter)
    """Lines by `sent`, `pending`, `failed` and `error`."""
    replayed: int = 0
    """Lines that had been recorded by an earlier run."""
    cost_micros: int = 0
    """Micros charged or held for lines that this run recorded."""
    earlier_cost_micros: int = 0
    """Micros charged or held for lines that an earlier run recorded."""
    errors: Counter[str] = field(default_factory=Counter)
    """Lines that failed, by their stable error code."""

    @property
    def lines(self) -> int:
        """Lines with a result."""
        return self.statuses.total()


class Results:
    """Writes one line for each answer, in the order in which they come."""

    def __init__(self, file: TextIO, campaign: str) -> None:
        self._file = file
        self._campaign = campaign
        self._writer = CsvWriter(file, COLUMNS, numbers=("cost",))
        self.totals = Totals()

    def recorded(self, row: BatchRow, response: pb.SendSmsResponse) -> None:
        """Writes the result of a line that messaging has on record."""
        entry = response.entry
        status = _STATUSES[entry.status]
        cost = entry.total_cost_micros if entry.billing_state in _PAID else 0
        self.totals.statuses[status] += 1
        if response.replayed:
            self.totals.replayed += 1
            self.totals.earlier_cost_micros += cost
        else:
            self.totals.cost_micros += cost
        error = ""
        if entry.error_code:
            error = f"{entry.error_code}: {entry.error_details}"
            self.totals.errors[entry.error_code] += 1
        self._write(
            row, entry.outbox_id, status, entry.sms_units_used, kes(cost), "yes" if response.replayed else "no", error
        )

    def refused(self, row: BatchRow, error: errors_pb2.ItemError) -> None:
        """Writes the result of a line that is not on record, or of which that is not known."""
        self.totals.statuses[ERROR] += 1
        self.totals.errors[error.reason] += 1
        self._write(row, "", ERROR, "", "", "", f"{error.reason}: {error.message}")

    def flush(self) -> None:
        """Hands what was written to the operating system, so that a kill does not lose it."""
        self._file.flush()

    def _write(self, row: BatchRow, *values: object) -> None:
        self._writer.write((self._campaign, row.line, row.draft.message_id, *values))


def campaign_of(path: Path) -> str | None:
    """The campaign whose results a file holds; None when there is no file, or no result in it.

    Raises CommandError for a file that holds something else, which must not be overwritten.
    """
    try:
        with path.open("rb") as file:
            reader = CsvReader(file, COLUMNS)
            first = next(iter(reader), None)
            if reader.problem is None and not reader.header:
                return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", "name another file with --results") from None
    if reader.header != COLUMNS or isinstance(first, CsvProblem):
        raise CommandError(
            f"{path} exists and holds no results of a batch; nothing was sent", "name another file with --results"
        )
    return None if first is None else first.cells["campaign"]


@contextmanager
def open_results(path: Path, campaign: str) -> Generator[Results]:
    """A new file of results that replaces an old one; raises CommandError when it cannot be written."""
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written: {error.strerror}; nothing was sent", "name another file with --results"
        ) from None
    with file:
        yield Results(file, campaign)
