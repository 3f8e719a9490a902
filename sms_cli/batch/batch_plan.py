"""What sending a file would take and cost, before anything is sent.

Texts are segmented here, by the code that messaging charges by, and checked by the rules of messaging. Only prices are
asked for, one for each instant at which messages go out, so a file of any length costs a handful of calls.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from grpc import aio

from messaging_service.sending.domain.validation import expiry_over, validate
from messaging_service.shared.domain.encoding import Encoding
from messaging_service.shared.numbering.destinations import destination_of
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from service_kit.errors import ServiceError
from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.grpc.timestamps import to_timestamp
from sms_cli.batch.batch_files import BatchRow, Campaign, RowProblem, read_rows
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceAsyncStub

MAX_PROBLEMS = 100
"""Problems that are named; further ones are only counted."""
_CHUNK = 1_000
_PRICES_AT_ONCE = 32
_PRICES_KEPT = 10_000

_COUNTRY_HELPS = "; or say with --country KE whose numbers they are"
_COLUMNS = {
    "sender_id": "sender",
    "scheduled_time": "scheduled",
    "expires_time": "expires",
    "message_id": "messageId",
    "message": "the text",
}


@dataclass
class Plan:
    """The plan for a whole file; `problems` is empty when all of it can be sent."""

    rows: int = 0
    units: int = 0
    unicode_rows: int = 0
    """Texts that go out in UCS-2, where a unit holds 70 characters instead of 160."""
    scheduled_rows: int = 0
    expired_rows: int = 0
    """Lines that have expired: messaging refuses them unless it has them on record."""
    cost_micros: int = 0
    """At the prices known now, each for the instant at which its message goes out."""
    units_by_price: Counter[int] = field(default_factory=Counter)
    """Units by their price in micros."""
    problems: list[RowProblem] = field(default_factory=list)
    """The first MAX_PROBLEMS, in the order of the lines."""
    problem_count: int = 0
    first: BatchRow | None = None
    numbers: array[int] = field(default_factory=lambda: array("Q"))
    """The recipients' digits: 8 bytes for each line."""

    def repeated(self) -> tuple[int, int]:
        """The number of recipients on more than one line, and the number of those lines."""
        often = [count for _, group in groupby(sorted(self.numbers)) if (count := sum(1 for _ in group)) > 1]
        return len(often), sum(often)

    def note(self, problem: RowProblem) -> None:
        """Counts a problem, and keeps it while fewer than MAX_PROBLEMS are kept."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)


class Prices:
    """The prices of one unit for an account, cached; the oldest are dropped first."""

    def __init__(self, stub: MessagingServiceAsyncStub, user: str) -> None:
        self._stub = stub
        self._user = user
        self._known: dict[datetime | None, int] = {}

    async def at(self, instants: set[datetime | None]) -> dict[datetime | None, int]:
        """The price at each instant, in micros of a KES; None is now. Raises CommandError when there is none."""
        found = {instant: self._known[instant] for instant in instants if instant in self._known}
        room = asyncio.Semaphore(_PRICES_AT_ONCE)

        async def ask(instant: datetime | None) -> None:
            async with room:
                found[instant] = self._known[instant] = await self._ask(instant)

        await asyncio.gather(*(ask(instant) for instant in instants - found.keys()))
        while len(self._known) > _PRICES_KEPT:
            del self._known[next(iter(self._known))]
        return found

    async def refusal_of(self, number: str) -> str | None:
        """Why messages may not go to the country of a number; None when they may."""
        request = pb.QuoteSmsRequest(user_id=self._user, message="-", recipient_phone_number=number)
        try:
            await self._stub.QuoteSms(request)
        except aio.AioRpcError as error:
            failure = from_rpc_error(error)
            if failure is None or failure.reason != "DESTINATION_NOT_ALLOWED":
                raise
            return failure.message
        return None

    async def _ask(self, instant: datetime | None) -> int:
        # A text of one unit costs the price of a unit.
        request = pb.QuoteSmsRequest(
            user_id=self._user, message="-", scheduled_time=None if instant is None else to_timestamp(instant)
        )
        answer = await self._stub.QuoteSms(request)
        return answer.unit_price_micros


async def plan_batch(
    path: Path,
    campaign: Campaign,
    prices: Prices,
    *,
    max_units: int,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> Plan:
    """Reads a whole file and finds every problem in it; prices it when there is none.

    `progress` is called with the number of lines read, from time to time. Raises OSError, and CommandError when
    messaging does not answer or has no price.
    """
    plan, asked, refused = Plan(), set[str](), dict[str, str]()
    rows = read_rows(path, campaign)
    line = 0
    while chunk := list(islice(rows, _CHUNK)):
        due: Counter[datetime | None] = Counter()
        await _look_at_destinations(chunk, prices, asked, refused)
        for row in chunk:
            line = row.line
            if isinstance(row, RowProblem):
                plan.note(row)
            else:
                _add(plan, row, due, max_units, now, campaign, refused)
        if due and not plan.problem_count:
            known = await prices.at(set(due))
            for instant, units in due.items():
                plan.units_by_price[known[instant]] += units
                plan.cost_micros += known[instant] * units
        progress(line)
        # Gives Ctrl-C a chance to end the reading.
        await asyncio.sleep(0)
    if not plan.rows and not plan.problem_count:
        plan.note(RowProblem(1, "there is no recipient below the header"))
    return plan


async def _look_at_destinations(
    chunk: Sequence[BatchRow | RowProblem], prices: Prices, asked: set[str], refused: dict[str, str]
) -> None:
    """Asks messaging once for each country whether messages may go there.

    `refused` gets those to which they may not, with the reason.
    """
    for row in chunk:
        if isinstance(row, BatchRow):
            number = row.draft.recipient_phone_number
            # Nearly every line is of a country already asked for; its number is checked once, in `_add`.
            if (where := destination_of(number)) not in asked and phone_number_problem(number) is None:
                asked.add(where)
                if (refusal := await prices.refusal_of(number)) is not None:
                    refused[where] = refusal


def _add(  # noqa: PLR0917 - what all lines have in common
    plan: Plan,
    row: BatchRow,
    due: Counter[datetime | None],
    max_units: int,
    now: datetime,
    campaign: Campaign,
    refused: Mapping[str, str],
) -> None:
    try:
        request = validate(row.draft, now=now, phone_problem=phone_number_problem, max_units=max_units)
    except ServiceError as error:
        for violation in error.violations:
            column = _COLUMNS.get(violation.field, violation.field.replace("recipient_phone_number", "recipient"))
            remedy = _COUNTRY_HELPS if column == "recipient" and campaign.country is None else ""
            plan.note(RowProblem(row.line, f"{column}: {violation.description}{remedy}"))
        return
    if refused and (refusal := refused.get(destination_of(request.recipient))) is not None:
        plan.note(RowProblem(row.line, f"recipient: {refusal}"))
        return
    plan.numbers.append(int(request.recipient[1:]))
    plan.first = plan.first or row
    plan.rows += 1
    plan.units += request.segmentation.units
    plan.unicode_rows += request.segmentation.encoding is Encoding.UCS2
    plan.scheduled_rows += request.is_future
    plan.expired_rows += expiry_over(request.expires_at, now) is not None
    due[request.scheduled_at if request.is_future else None] += request.segmentation.units


def drafts(path: Path, campaign: Campaign) -> Iterator[BatchRow]:
    """The messages of a file that has no problems."""
    return (row for row in read_rows(path, campaign) if isinstance(row, BatchRow))
