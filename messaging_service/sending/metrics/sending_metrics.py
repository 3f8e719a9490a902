"""What becomes of messages and of the money that they hold."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.accounts.metrics.money_metrics import SettledMoney
from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.sending.claim_meter import ClaimMeter
from messaging_service.sending.domain.failures import CATALOGUE
from messaging_service.sending.outbox import Acceptance, Accepted, Settled, Settlement
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.domain.states import Billing, Priority
from service_kit.errors import ServiceError
from service_kit.metrics.exemplars import stored_exemplar

Accept = Callable[[Sequence[Acceptance]], Awaitable[Sequence[Accepted | ServiceError]]]
Settle = Callable[[Sequence[Settlement]], Awaitable[Sequence[Settled | ServiceError]]]

_TO_CARRIER_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0)
"""The objective of the high lane, 2 s, is one of the bounds."""
_NONE: Final = "none"
_OTHER: Final = "other"
_REFUSED: Final = (
    reasons.ACCOUNT_NOT_ACTIVE,
    reasons.ACCOUNT_NOT_FOUND,
    reasons.DAILY_SPEND_LIMIT_REACHED,
    reasons.INSUFFICIENT_FUNDS,
    reasons.KEY_DAILY_SPEND_LIMIT_REACHED,
    reasons.KEY_RATE_LIMIT_REACHED,
    reasons.MESSAGE_ID_REUSED,
    reasons.PUMPING_SUSPECTED,
    reasons.RATE_LIMIT_REACHED,
    reasons.RECIPIENT_LIMIT_REACHED,
    reasons.RECIPIENT_OPTED_OUT,
)
"""Why T1 refuses requests; shown from the start with a nought."""
_ATTEMPT_CODES: Final = frozenset({"LEASE_OVER", "VALIDITY_OVER", "KEYS_UNAVAILABLE", "TEXT_ERASED"})
"""Codes of attempts that ended before any carrier was asked."""


class SendingMetrics(ClaimMeter):
    """Counts what was settled, once a batch; implements ClaimMeter."""

    def __init__(self, settled: SettledMoney, registry: CollectorRegistry, carriers: Iterable[str]) -> None:
        """`carriers`: their outcomes are shown from the start with a nought, so that the first is a rise."""
        self._settled = settled
        self._outcomes = Counter(
            "tukupay_outcomes",
            "Attempts that ended, as they were recorded.",
            ("kind", "carrier", "code"),
            registry=registry,
        )
        self._lost = Counter(
            "tukupay_outcomes_superseded",
            "Attempts whose outcome was not recorded, as their claim was no longer this process's.",
            registry=registry,
        )
        self._accepted = Counter("tukupay_accepted", "Messages put on record.", registry=registry)
        self._replayed = Counter("tukupay_replayed", "Requests answered from the record.", registry=registry)
        self._refused = Counter(
            "tukupay_refused",
            "Requests that were refused as they were to be recorded: nothing is stored or held for them.",
            ("reason",),
            registry=registry,
        )
        waited = Histogram(
            "tukupay_accept_to_carrier_seconds",
            "From the acceptance of a message, or its scheduled time, to that by a carrier; without resends.",
            ("lane",),
            registry=registry,
            buckets=_TO_CARRIER_S,
        )
        for reason in _REFUSED:
            self._refused.labels(reason)
        self._waited = {lane: waited.labels(lane.value) for lane in Priority}
        for carrier in carriers:
            for kind in OutcomeKind:
                self._outcomes.labels(kind.value, carrier, _NONE)
        self._claims = Counter("tukupay_claims", "Messages taken from the queue.", registry=registry)
        self._looks = Counter("tukupay_claim_looks", "Looks at the queue.", registry=registry)

    @override
    def claimed(self, messages: int) -> None:
        self._looks.inc()
        self._claims.inc(messages)

    def admitted(self, accept: Accept) -> Accept:
        """The same as `accept`, and what became of the requests is counted."""

        async def accept_and_count(batch: Sequence[Acceptance]) -> Sequence[Accepted | ServiceError]:
            results = await accept(batch)
            refused = Tally(result.reason for result in results if isinstance(result, ServiceError))
            replayed = sum(isinstance(result, Accepted) and result.replayed for result in results)
            for reason, number in refused.items():
                self._refused.labels(reason).inc(number)
            self._replayed.inc(replayed)
            self._accepted.inc(len(results) - replayed - refused.total())
            return results

        return accept_and_count

    def counted(self, settle: Settle) -> Settle:
        """The same as `settle`, and what it recorded is counted."""

        async def settle_and_count(batch: Sequence[Settlement]) -> Sequence[Settled | ServiceError]:
            results = await settle(batch)
            self._count(batch, results)
            return results

        return settle_and_count

    def _count(self, batch: Sequence[Settlement], results: Sequence[Settled | ServiceError]) -> None:
        outcomes: Tally[tuple[str, str, str | None]] = Tally()
        micros: Tally[Billing] = Tally()
        for settlement, result in zip(batch, results, strict=True):
            if isinstance(result, ServiceError):
                continue
            if not result.applied:
                self._lost.inc()
                continue
            outcome = settlement.outcome
            outcomes[outcome.kind.value, outcome.carrier, outcome.error_code] += 1
            micros[result.message.billing] += to_micros(result.message.total)
            if outcome.kind is OutcomeKind.ACCEPTED:
                self._reached_carrier(result.message, settlement.trace_id)
        for (kind, carrier, code), number in outcomes.items():
            self._outcomes.labels(kind, carrier or _NONE, _bounded(code)).inc(number)
        self._settled.add("attempt", micros)

    def _reached_carrier(self, message: Message, trace_id: bytes | None) -> None:
        # When a resend was asked for is not kept.
        if message.sent_at is not None and not message.retry_count:
            due = max(message.created_at, message.scheduled_at or message.created_at)
            self._waited[message.priority].observe((message.sent_at - due).total_seconds(), stored_exemplar(trace_id))


def _bounded(code: str | None) -> str:
    """A code of the catalogue; a carrier's own codes are not bounded, and would make a series each."""
    if code is None:
        return _NONE
    return code if code in CATALOGUE or code in _ATTEMPT_CODES else _OTHER
