"""What an operator should see of attempts, logged and counted. Never a text, a key or a full phone number."""

from __future__ import annotations

import structlog
from typing_extensions import override

from messaging_service.sending.attempts import AttemptLog
from service_kit.duties.duty_failures import DutyFailures

log = structlog.get_logger()


class CountedAttempts(AttemptLog):
    """Implements AttemptLog; failures count as those of the duties `settlement` and `attempt`."""

    def __init__(self, failures: DutyFailures) -> None:
        self._failures = failures

    @override
    def settlement_lost(self, message_id: str, outcome: str) -> None:
        self._failures.count("settlement")
        log.error("settlement.lost", outbox_id=message_id, outcome=outcome)

    @override
    def settlement_crashed(self, message_id: str, error: Exception) -> None:
        self._failures.count("settlement")
        log.error("settlement.crashed", outbox_id=message_id, exc_info=error)

    @override
    def attempt_failed(self, error: BaseException) -> None:
        self._failures.count("attempt")
        log.error("attempt.failed", exc_info=error)
