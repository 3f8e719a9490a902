"""A DutyLog that lets failures be seen."""

from __future__ import annotations

from typing_extensions import override

from service_kit.duties.duty import DutyLog
from service_kit.errors import ServiceError


class StrictDuties(DutyLog):
    """Raises what a duty failed with, so that the test fails."""

    @override
    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        raise AssertionError(f"{duty} failed: {error.reason}")

    @override
    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        raise error
