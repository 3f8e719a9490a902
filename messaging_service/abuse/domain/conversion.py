"""Conversion: how many of the codes that were sent came back, which is what tells users from pumped numbers best."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError

FEEDBACK_WITHIN: Final = timedelta(days=7)
"""How old a message may be of which something is said; as long conversion is kept."""
KEPT: Final = timedelta(days=8)
"""How long counts of an hour are kept: what is usual looks back for 7 days."""


class FeedbackOutcome(StrEnum):
    """What an app says of a message with a code."""

    VERIFIED = "verified"
    """The code came back: somebody has that phone, and wanted it."""
    NOT_VERIFIED = "not_verified"
    """It did not come back in the time that the app gives it."""


@dataclass(frozen=True, slots=True)
class BlockConversion:
    """What went to one block of numbers in a period, and what came of it."""

    block: str
    """The numbers in E.164 without their last 3 digits."""
    sent: int
    """Messages that were watched for pumping and not refused."""
    refused: int
    """Messages that were refused because the block looked pumped."""
    verified: int
    not_verified: int
    suspected_at: datetime | None
    """When it last looked pumped, within the last minutes; None when it does not."""

    @property
    def rate(self) -> float | None:
        """The share of codes that came back, 0 to 1, of those that something was said of; None when nothing was."""
        told = self.verified + self.not_verified
        return self.verified / told if told else None


def feedback_too_late(days: int) -> ServiceError:
    """The refusal of feedback to a message whose counts are gone."""
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        reasons.FEEDBACK_TOO_LATE,
        f"the message is older than {days} days, and what came of such is not counted any more; nothing was recorded",
    )
