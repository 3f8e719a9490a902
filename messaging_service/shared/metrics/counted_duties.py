"""The part that the logs of several rooms share: failures of duties."""

from __future__ import annotations

from typing_extensions import override

from service_kit.duties.duty import DutyLog
from service_kit.duties.duty_failures import DutyFailures
from service_kit.errors import ServiceError


class CountedDuties(DutyLog):
    """Hands failures of a room's duties to who counts those of the whole process."""

    def __init__(self, failures: DutyFailures) -> None:
        self._failures = failures

    @override
    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        self._failures.upkeep_failed(duty, error)

    @override
    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        self._failures.upkeep_crashed(duty, error)
