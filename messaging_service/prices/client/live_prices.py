"""Prices from the copy where it can tell, else from pricing_service; concurrent questions travel in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import NoReturn

import structlog
from typing_extensions import override

from messaging_service.prices.client.price_questions import MAX_QUESTIONS, PriceQuestions, Question
from messaging_service.prices.domain.price_copy import PriceCopy
from messaging_service.prices.prices import Prices
from messaging_service.shared.commit_meter import CommitMeter
from messaging_service.shared.domain.money import SendPrice
from messaging_service.shared.group_commit import GroupCommit
from service_kit.errors import Kind, ServiceError
from service_kit.request_id import current

Asked = tuple[Question, str | None]
"""A question, and the id of the request that waits for its answer; None when there is none."""

log = structlog.get_logger()


class LivePrices(Prices):
    """Implements the port Prices.

    Only prices are remembered: an account without one is asked for again each time.
    """

    def __init__(
        self,
        questions: PriceQuestions,
        copy: PriceCopy,
        *,
        max_waiting: int = 20_000,
        meter: CommitMeter | None = None,
    ) -> None:
        """`max_waiting`: questions to the price book that may wait; more are turned away with OVERLOADED.

        `meter` counts every call; None for no figures.
        """
        self._book = questions
        self._copy = copy
        self._questions: GroupCommit[Asked, SendPrice] = GroupCommit(
            "prices", self._ask, max_batch=MAX_QUESTIONS, max_waiting=max_waiting, meter=meter
        )

    @property
    def questions(self) -> GroupCommit[Asked, SendPrice]:
        """Where questions to the price book wait for one another."""
        return self._questions

    @override
    async def price_of(self, customer_id: str, app_id: str | None, at: datetime | None) -> SendPrice:
        known = self._copy.price_of((customer_id, app_id), at)
        if known is not None:
            return known
        return await self._questions.submit(((customer_id, app_id, at), current()))

    async def _ask(self, asked: Sequence[Asked]) -> Sequence[SendPrice | ServiceError]:
        questions = [question for question, _ in asked]
        distinct = list(dict.fromkeys(questions))
        request_ids: dict[Question, list[str]] = {}
        for question, request_id in asked:
            if request_id is not None:
                request_ids.setdefault(question, []).append(request_id)
        tally = self._copy.tally
        tally.calls += 1
        asking = self._copy.asking()
        try:
            found = await self._book.ask(distinct, request_ids)
        except ServiceError:
            tally.failures += 1
            tally.refused += len(questions)
            raise
        answers: dict[Question, SendPrice | ServiceError] = {}
        for question, answer in zip(distinct, found, strict=True):
            if isinstance(answer, ServiceError):
                answers[question] = answer
                continue
            customer_id, app_id, at = question
            if at is None:
                self._copy.learn(asking, (customer_id, app_id), answer)
            answers[question] = SendPrice(answer.price, answer.resolved_at, answer.known_at)
        results = [answers[question] for question in questions]
        tally.refused += sum(isinstance(one, ServiceError) and one.kind is Kind.UNAVAILABLE for one in results)
        return results


async def report_copy(copy: PriceCopy, every_s: float = 60.0) -> NoReturn:
    """Logs the counts of a copy now and then, until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        age_s = copy.age_s
        log.info(
            "prices.copy",
            **asdict(copy.tally),
            answers=len(copy),
            epoch=copy.epoch,
            fresh=copy.is_fresh,
            age_s=None if copy.epoch is None else round(age_s, 3),
        )
