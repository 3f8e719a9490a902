"""What the use cases report, as log events. Never a text, a key or a full phone number."""

from __future__ import annotations

import structlog

from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.opt_outs.inbound_inbox import WorkedInbound
from messaging_service.sending.outbox import Swept

log = structlog.get_logger()


class EventsLog:
    """Implements the log ports of the use cases."""

    def settlement_lost(self, message_id: str, outcome: str) -> None:
        """See AttemptLog."""
        log.error("settlement.lost", outbox_id=message_id, outcome=outcome)

    def settlement_crashed(self, message_id: str, error: Exception) -> None:
        """See AttemptLog."""
        log.error("settlement.crashed", outbox_id=message_id, exc_info=error)

    def attempt_failed(self, error: BaseException) -> None:
        """See AttemptLog."""
        log.error("attempt.failed", exc_info=error)

    def breaker_opened(self, carrier: str, seconds: float) -> None:
        """See FleetLog."""
        log.error("carrier.breaker_opened", carrier=carrier, seconds=seconds)

    def breaker_closed(self, carrier: str) -> None:
        """See FleetLog."""
        log.info("carrier.breaker_closed", carrier=carrier)

    def carrier_mode(self, carrier: str, mode: CarrierMode) -> None:
        """See FleetLog."""
        log.warning("carrier.mode", carrier=carrier, mode=mode.value)

    def carrier_mode_failed(self, carrier: str, mode: CarrierMode, error: Exception) -> None:
        """See FleetLog."""
        log.error("carrier.mode_failed", carrier=carrier, mode=mode.value, exc_info=error)

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        """See UpkeepLog."""
        log.error("upkeep.crashed", duty=duty, exc_info=error)

    def swept(self, swept: Swept) -> None:
        """See UpkeepLog."""
        log.warning("outbox.swept", orphaned=swept.orphaned, expired=swept.expired, resent=swept.resent)

    def rerouted(self, messages: int) -> None:
        """See UpkeepLog."""
        log.warning("queue.rerouted", messages=messages)

    def late_outcomes(self, recorded: int, ignored: int) -> None:
        """See LateLog."""
        log.info("late_outcomes", recorded=recorded, ignored=ignored)

    def upkeep_failed(self, duty: str, reason: str) -> None:
        """See UpkeepLog."""
        log.warning("upkeep.failed", duty=duty, reason=reason)

    def opted(self, worked: WorkedInbound) -> None:
        """See InboundLog."""
        log.info("inbound.opted", opted_out=worked.opted_out, opted_in=worked.opted_in)

    def queued_stopped(self, messages: int) -> None:
        """See InboundLog."""
        log.info("opt_outs.queued_cancelled", messages=messages)
