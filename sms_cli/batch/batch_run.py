"""Plans a file, sends it, and stops in order when asked to."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from service_kit.settings import Address
from sms_cli.batch.batch_files import BatchRow, Campaign
from sms_cli.batch.batch_plan import Plan, Prices, drafts, plan_batch
from sms_cli.batch.batch_results import ERROR, Totals, campaign_of, open_results
from sms_cli.batch.batch_sender import BatchSender
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.service_calls import messaging_stub
from sms_cli.shared.terminal import err
from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceStub

INTERRUPTED = 130
"""The exit code after Ctrl-C or SIGTERM."""
RESUME = "run the same command again: what is on record is not sent or charged again, the rest is sent"
_LAST_ANSWERS_S = 15.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a file is sent, and how long it waits for answers."""

    batch: int
    window: int
    wait_s: float
    patience_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a file was sent."""

    plan: Plan
    totals: Totals
    seconds: float
    unanswered: int
    obstacle: str | None
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 when every line was sent or is on its way."""
        if self.interrupted:
            return INTERRUPTED
        good = self.totals.statuses["sent"] + self.totals.statuses["pending"]
        return 0 if good == self.plan.rows else 1

    def record(self, campaign: str, results: Path) -> dict[str, object]:
        """As JSON; amounts are text, to stay exact."""
        statuses = self.totals.statuses
        return {
            "campaign": campaign,
            "lines": self.plan.rows,
            **{name: statuses[name] for name in ("sent", "pending", "failed", ERROR)},
            "unanswered": self.unanswered,
            "notSent": self.plan.rows - self.totals.lines - self.unanswered,
            "replayed": self.totals.replayed,
            "cost": kes(self.totals.cost_micros),
            "earlierCost": kes(self.totals.earlier_cost_micros),
            "currency": "KES",
            "errors": dict(self.totals.errors),
            "seconds": round(self.seconds, 3),
            "results": str(results),
            "obstacle": self.obstacle,
            "interrupted": self.interrupted,
        }


async def make_plan(messaging: Address, path: Path, campaign: Campaign, max_units: int) -> Plan:
    """Checks and prices a file; raises CommandError that names what is wrong with it."""
    try:
        async with messaging_stub(messaging, MessagingServiceStub) as stub:
            prices = Prices(stub, campaign.user)
            with _bar("reads", None) as bar:
                plan = await plan_batch(
                    path, campaign, prices, max_units=max_units, now=datetime.now(UTC), progress=bar
                )
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", "check the name of the file") from None
    if plan.problem_count:
        count = plan.problem_count
        lines = "\n  ".join(map(str, plan.problems))
        more = f"\n  … and {count - len(plan.problems):,} more" if count > len(plan.problems) else ""
        raise CommandError(
            f"{path} has {count:,} {'problem' if count == 1 else 'problems'}:\n  {lines}{more}",
            "correct the file and try again; nothing was sent",
        )
    return plan


def check_results(path: Path, results: Path, campaign: Campaign) -> None:
    """Refuses to begin a campaign where another one of the same file has left its results."""
    earlier = campaign_of(results)
    if earlier is None or earlier == campaign.name:
        return
    raise CommandError(
        f"{results} holds results of the campaign {earlier}, and this is {campaign.name}: {path} or the text has "
        "changed since; nothing was sent",
        f"to go on with that one, add --campaign {earlier}: lines that were recorded are not sent again\n"
        "to send to everybody anew, name another file with --results",
    )


async def send_file(  # noqa: PLR0917 - all that a sending is
    messaging: Address, path: Path, campaign: Campaign, plan: Plan, results: Path, pace: Pace
) -> Outcome:
    """Sends the file and writes the results.

    The first Ctrl-C waits for answers to what was sent; the second does not.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with open_results(results, campaign.name) as written, _sending_bar(plan.rows, written.totals) as progress:
        # The sender's calls wait for outcomes, so it sets their deadlines.
        async with messaging_stub(messaging, MessagingServiceStub, deadline_s=None) as stub:
            sender = BatchSender(
                stub,
                written,
                batch=pace.batch,
                window=pace.window,
                wait_s=pace.wait_s,
                patience_s=pace.patience_s,
                progress=progress,
            )
            interrupted = await _until_done(sender, _unchanged(path, campaign))
        written.flush()
    return Outcome(
        plan, written.totals, loop.time() - begun, sender.unanswered, sender.obstacle, interrupted=interrupted
    )


async def _until_done(sender: BatchSender, rows: Iterator[BatchRow]) -> bool:
    """Sends the rows; true when a signal interrupted it."""
    loop = asyncio.get_running_loop()
    sending = asyncio.ensure_future(sender.send(rows))
    signals = 0

    def interrupted() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            err.print("stops: waits for the answers on their way; Ctrl-C again does not wait", markup=False)
            sender.stop()
            loop.call_later(_LAST_ANSWERS_S, sending.cancel)
        else:
            sending.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        await asyncio.wait({sending})
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise _first(error)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        # Ended before the results are closed, so that nothing is sent whose result cannot be written.
        sending.cancel()
        await asyncio.wait({sending})
    return signals > 0


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _unchanged(path: Path, campaign: Campaign) -> Iterator[BatchRow]:
    """The messages of the file; raises CommandError when it changes while it is read."""
    before = _state(path)
    for row in drafts(path, campaign):
        yield row
        if row.line % 1_000 == 0 and _state(path) != before:
            raise CommandError(f"{path} changes while it is sent; nothing more is sent", RESUME)


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def _bar(doing: str, total: int | None) -> Generator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    with bar:
        task = bar.add_task(doing, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def _sending_bar(total: int, totals: Totals) -> Generator[Callable[[], None]]:
    columns = (
        TextColumn("sends"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[cost]} KES"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    with bar:
        task = bar.add_task("sends", total=total, cost="0")
        yield lambda: bar.update(task, completed=totals.lines, cost=kes(totals.cost_micros))
