"""Late outcomes on their way from a carrier to the record, and receipts that are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from messaging_service.carriers.domain.submission import LateOutcome, Outcome
from messaging_service.receipts.late_outcomes import LateOutcomeProcessor, LateSettlement, Verdict
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.kept_archives import STEP, Retention
from service_kit.errors import ServiceError
from tests.contract.sms_examples import acceptance, accepted, refused, unanswered
from tests.doubles.messaging_fakes import RecordedLog, unavailable, until

pytestmark = pytest.mark.timeout(10)


class Book:
    """Implements LateOutcomeStore with verdicts from a list."""

    def __init__(self, *verdicts: Sequence[Verdict] | Exception) -> None:
        self.verdicts = list(verdicts)
        self.asked: list[list[LateSettlement]] = []

    async def settle_late(self, batch: Sequence[LateSettlement]) -> Sequence[Verdict]:
        self.asked.append(list(batch))
        verdict = self.verdicts.pop(0)
        if isinstance(verdict, Exception):
            raise verdict
        return verdict


class Log(RecordedLog):
    def __init__(self) -> None:
        super().__init__()
        self.counted: list[tuple[int, int]] = []

    def late_outcomes(self, recorded: int, ignored: int) -> None:
        self.counted.append((recorded, ignored))


def late(outcome: Outcome) -> LateOutcome:
    return LateOutcome(outbox_id(acceptance().message_id), 3, outcome)


async def test_what_is_too_early_is_looked_at_again_and_the_rest_is_not() -> None:
    book, log = Book([Verdict.RECORDED, Verdict.TOO_EARLY, Verdict.OVERTAKEN], [Verdict.RECORDED]), Log()
    outcomes = [late(accepted("A1")), late(refused()), late(accepted("B1"))]
    await LateOutcomeProcessor(book, log, pauses_s=(0.0, 0.0)).take(outcomes)
    assert [[item.outcome for item in batch] for batch in book.asked] == [
        [outcome.outcome for outcome in outcomes],
        [outcomes[1].outcome],
    ]
    assert {item.epoch for item in book.asked[0]} == {3}
    assert log.counted == [(2, 1)]


async def test_a_record_that_does_not_come_is_given_up() -> None:
    book, log = Book(*([Verdict.TOO_EARLY] for _ in range(3))), Log()
    await LateOutcomeProcessor(book, log, pauses_s=(0.0, 0.0)).take([late(refused())])
    assert (len(book.asked), log.counted) == (3, [(0, 1)])


async def test_outcomes_are_kept_while_they_cannot_be_recorded() -> None:
    book, log = Book(unavailable(), RuntimeError("damaged page"), [Verdict.RECORDED]), Log()
    await LateOutcomeProcessor(book, log).take([late(accepted("A1"))])
    assert log.counted == [(1, 0)]
    assert log.lines == [
        ("upkeep_failed", "late_outcomes", "DATABASE_UNAVAILABLE"),
        ("upkeep_crashed", "late_outcomes", "damaged page"),
    ]


@pytest.mark.parametrize("failure", [unavailable(), RuntimeError("damaged page")])
async def test_outcomes_are_not_kept_for_ever(failure: Exception) -> None:
    book, log = Book(failure), Log()
    with pytest.raises(type(failure)):
        await LateOutcomeProcessor(book, log, keep_s=0.0).take([late(accepted("A1"))])
    assert len(book.asked) == 1


async def test_what_says_nothing_new_is_not_looked_up() -> None:
    book, log = Book(), Log()
    stranger = LateOutcome("not an outbox id", 1, accepted("A1"))
    await LateOutcomeProcessor(book, log).take([late(unanswered()), stranger])
    assert (book.asked, log.counted) == ([], [(0, 2)])


class Archive:
    """Implements Archive; each step deletes what the test put on the list."""

    def __init__(self, *steps: int | Exception) -> None:
        self.steps = list(steps)
        self.asked: list[tuple[float, int]] = []

    async def forget(self, keep_s: float, limit: int) -> int:
        self.asked.append((keep_s, limit))
        step = self.steps.pop(0) if self.steps else 0
        if isinstance(step, Exception):
            raise step
        return step


async def test_receipts_are_forgotten_in_steps_whatever_fails() -> None:
    archive, log = Archive(STEP, unavailable(), ValueError("unforeseen"), STEP), RecordedLog()
    task = asyncio.ensure_future(Retention(archive, log, duty="receipt_retention", keep_s=60, every_s=0.0).run())
    await until(lambda: len(archive.asked) >= 5)
    task.cancel()
    assert set(archive.asked) == {(60, STEP)}
    assert log.lines[:2] == [
        ("upkeep_failed", "receipt_retention", "DATABASE_UNAVAILABLE"),
        ("upkeep_crashed", "receipt_retention", "unforeseen"),
    ]


async def test_receipts_are_kept_for_ever_when_nothing_else_is_said() -> None:
    archive = Archive(ServiceError)  # type: ignore[arg-type]  # not reached
    keeping = asyncio.ensure_future(Retention(archive, RecordedLog(), duty="receipt_retention", keep_s=0).run())
    assert await asyncio.wait({keeping}, timeout=0.05) == (set(), {keeping})
    keeping.cancel()
    assert archive.asked == []
