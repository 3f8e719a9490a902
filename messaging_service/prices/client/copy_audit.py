"""Compares the copy of the price book with the book itself."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from typing_extensions import override

from messaging_service.prices.client.price_questions import MAX_QUESTIONS, PriceQuestions
from messaging_service.prices.client.price_watch import PriceWatch
from messaging_service.prices.domain.price_copy import Answer, Key, PriceCopy
from messaging_service.prices.price_copy_audit import PriceCopyAudit, PriceCopyComparison
from messaging_service.shared.domain.money import to_micros
from service_kit.errors import ServiceError

SETTLE_S = 1.0
"""In this time a change reaches the watch."""
PATIENCE_S = 5.0
ROUNDS = 3
"""How often in all an audit waits for changes under way before it calls a difference one."""

_UNANSWERABLE = "PRICING_UNAVAILABLE"

_Pair = tuple[Answer, Answer | None]
"""What the copy has, and what the book says; None when it has no price."""


class CopyAudit(PriceCopyAudit):
    """Implements the port PriceCopyAudit, a thousand questions at a time."""

    def __init__(
        self, copy: PriceCopy, questions: PriceQuestions, watch: PriceWatch, *, settle_s: float = SETTLE_S
    ) -> None:
        """`settle_s`: seconds after which a change has reached a watch that lives."""
        self._copy = copy
        self._book = questions
        self._watch = watch
        self._settle_s = settle_s

    @override
    async def compare(self) -> PriceCopyComparison:
        answers = 0
        differing: list[Key] = []
        copy_sum, book_sum = hashlib.sha256(), hashlib.sha256()
        rounds = ROUNDS
        for keys in _batches(await _in_order(self._copy.keys())):
            pairs = await self._pairs(keys)
            while rounds and any(ours != theirs for ours, theirs in map(_shown, pairs.values())):
                rounds -= 1
                await self._let_changes_arrive()
                # What was forgotten or learned anew meanwhile was no difference.
                suspects = [key for key, pair in pairs.items() if len(set(_shown(pair))) > 1]
                for key in suspects:
                    del pairs[key]
                pairs |= await self._pairs(suspects)
            for key in keys:
                if key not in pairs:
                    continue
                ours, theirs = _shown(pairs[key])
                answers += 1
                name = f"{key!r} "
                copy_sum.update((name + ours).encode())
                book_sum.update((name + theirs).encode())
                if ours != theirs:
                    differing.append(key)
        return PriceCopyComparison(
            answers, copy_sum.hexdigest(), book_sum.hexdigest(), self._copy.epoch, tuple(differing)
        )

    async def _pairs(self, keys: Sequence[Key]) -> dict[Key, _Pair]:
        """What both sides say to those questions to which the copy has an answer."""
        held = {key: answer for key in keys if (answer := self._copy.answer(key)) is not None}
        if not held:
            return {}
        asking = self._copy.asking()
        answered = await self._book.ask([(customer_id, app_id, None) for customer_id, app_id in held])
        pairs: dict[Key, _Pair] = {}
        for (key, ours), theirs in zip(held.items(), answered, strict=True):
            if not isinstance(theirs, ServiceError):
                self._copy.learn_clock(asking, theirs)
                # One that has run out is not used any more.
                if ours.valid_until is None or theirs.resolved_at < ours.valid_until:
                    pairs[key] = (ours, theirs)
            elif theirs.reason == _UNANSWERABLE:
                raise theirs
            else:
                pairs[key] = (ours, None)
        return pairs

    async def _let_changes_arrive(self) -> None:
        if not self._copy.is_fresh:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(asyncio.sleep(self._settle_s), self._watch.words(2))
        except TimeoutError:
            return


def _shown(pair: _Pair) -> tuple[str, str]:
    ours, theirs = pair
    return _text(ours), "none\n" if theirs is None else _text(theirs)


def _text(answer: Answer) -> str:
    # Not when it was asked for: only what a send would be charged, now and later.
    price = answer.price
    until = "" if answer.valid_until is None else answer.valid_until.isoformat()
    return f"{price.cost_id} {price.level} {to_micros(price.unit_price)} {until}\n"


def _order(key: Key) -> tuple[str, bool, str]:
    customer_id, app_id = key
    return customer_id, app_id is not None, app_id or ""


async def _in_order(keys: Sequence[Key]) -> Iterator[Key]:
    """All keys in a stable order; sorted piecewise, so that sends are not held up."""
    pieces: list[list[Key]] = []
    for start in range(0, len(keys), MAX_QUESTIONS):
        pieces.append(sorted(keys[start : start + MAX_QUESTIONS], key=_order))
        await asyncio.sleep(0)
    return heapq.merge(*pieces, key=_order)


def _batches(keys: Iterable[Key]) -> Iterator[list[Key]]:
    remaining = iter(keys)
    while batch := list(islice(remaining, MAX_QUESTIONS)):
        yield batch
