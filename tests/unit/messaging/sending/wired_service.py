"""The use cases of the service, wired over fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from uuid_utils.compat import uuid7

from messaging_service.carriers.carrier import LateOutcomeSink
from messaging_service.carriers.carrier_fleet import Fleet
from messaging_service.carriers.domain.circuit_breaker import BreakerSettings
from messaging_service.carriers.domain.routing import DEFAULT_ROUTE, only_route
from messaging_service.carriers.route_carriers import RouteCarriers
from messaging_service.sending.attempts import Attempts
from messaging_service.sending.claim_loop import ClaimLoop
from messaging_service.sending.dispatch import Dispatch
from messaging_service.sending.outbox import Acceptance, Accepted, Settled, Settlement
from messaging_service.sending.outcomes import Outcomes
from messaging_service.sending.resend_sms import ResendSms
from messaging_service.sending.send_sms import SendLimits, SendSms, Sent
from messaging_service.shared.group_commit import GroupCommit
from tests.contract.sms_examples import draft
from tests.doubles.messaging_fakes import FailingOutbox, FixedPrices, NoWakeUps, RecordedLog, anywhere
from tests.doubles.scripted_carrier import ScriptedCarrier

CLAIM_S = 25.0


@dataclass
class Service:
    """All of it; `monotonic` is what the attempts see as the time."""

    outbox: FailingOutbox = field(default_factory=FailingOutbox)
    carrier: ScriptedCarrier = field(default_factory=ScriptedCarrier)
    prices: FixedPrices = field(default_factory=FixedPrices)
    log: RecordedLog = field(default_factory=RecordedLog)
    monotonic: float = 1_000.0
    now: datetime | None = None
    """What the process takes for the time of day; None for the true one."""
    settle_within_s: float = 30.0
    poll_s: float = 0.01
    late: LateOutcomeSink | None = None

    def __post_init__(self) -> None:
        # The machine's own clock begins when it boots: beside it ours would be ahead in the first minutes.
        self.outbox.monotonic = lambda: self.monotonic
        self.acceptances: GroupCommit[Acceptance, Accepted] = GroupCommit(
            "acceptance", self.outbox.accept, max_batch=100, max_waiting=100
        )
        self.settlements: GroupCommit[Settlement, Settled] = GroupCommit(
            "settlement", self.outbox.settle, max_batch=100, max_waiting=100
        )
        self.outcomes = Outcomes(self.outbox.get_many, self.log)
        self.attempts = Attempts(
            self.settlements,
            self.outcomes,
            self.log,
            settle_within_s=self.settle_within_s,
            late=self.late,
            monotonic=lambda: self.monotonic,
        )
        routes = only_route([self.carrier.name])
        self.fleet = Fleet([self.carrier], self.log, BreakerSettings(), drain_s=1.0, clock=lambda: self.monotonic)
        self.carriers = RouteCarriers(next(iter(routes)), self.fleet)
        self.claims = ClaimLoop(self.outbox, self.carriers, self.attempts, self.log, poll_s=self.poll_s)
        self.dispatch = Dispatch(routes, {DEFAULT_ROUTE: self.claims}, NoWakeUps())
        self.send_sms = SendSms(
            prices=self.prices,
            acceptances=self.acceptances,
            outbox=self.outbox,
            attempts=self.attempts,
            outcomes=self.outcomes,
            dispatch=self.dispatch,
            phone_problem=lambda _: None,
            destination_problem=anywhere,
            limits=SendLimits(max_units=10, carrier_grace_s=0.0, claim_s=CLAIM_S),
            new_id=uuid7,
            now=lambda: self.now or datetime.now(UTC),
            monotonic=lambda: self.monotonic,
        )
        self.resend_sms = ResendSms(
            self.outbox,
            self.outcomes,
            self.dispatch,
            destination_problem=anywhere,
            max_retries=3,
            carrier_grace_s=0.0,
        )

    async def send(self, wait_s: float = 5.0, **changes: Any) -> Sent:
        """Sends one message."""
        return await self.send_sms(draft(**changes), wait_s)

    @asynccontextmanager
    async def claiming(self) -> AsyncIterator[None]:
        """While the claim loop runs."""
        task = asyncio.get_running_loop().create_task(self.claims.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await self.attempts.drain()
