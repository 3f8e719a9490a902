"""Feedback and conversion as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway_http.shared.rest_instants import instant
from tukupay.sms.messaging.v1 import feedback_pb2

Outcome = Literal["verified", "not_verified"]

_OUTCOMES: dict[Outcome, feedback_pb2.FeedbackOutcome.ValueType] = {
    "verified": feedback_pb2.FEEDBACK_OUTCOME_VERIFIED,
    "not_verified": feedback_pb2.FEEDBACK_OUTCOME_NOT_VERIFIED,
}


class NewFeedback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a code."""

    outcome: Annotated[
        Outcome,
        Meta(description="verified: the code came back. not_verified: it did not in the time that the app gives it."),
    ]

    def to_request(self, outbox_id: str) -> feedback_pb2.RecordFeedbackRequest:
        """The call that records it."""
        return feedback_pb2.RecordFeedbackRequest(outbox_id=outbox_id, outcome=_OUTCOMES[self.outcome])


class FeedbackAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """It is on record."""

    outbox_id: Annotated[str, Meta(description="The entry's identifier.")]
    outcome: Annotated[Outcome, Meta(description="What is on record of it now.")]


class BlockCounts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was sent, and what came of it."""

    sent: Annotated[int, Meta(ge=0, description="SMS that were watched for pumping and accepted.")]
    refused: Annotated[int, Meta(ge=0, description="SMS that were refused because their block looked pumped.")]
    verified: Annotated[int, Meta(ge=0, description="Codes that came back.")]
    not_verified: Annotated[int, Meta(ge=0, description="Codes that did not.")]
    conversion: Annotated[
        float | None,
        Meta(description="The share of codes that came back, 0 to 1, of those with feedback; null without any."),
    ]

    @classmethod
    def of(cls, block: feedback_pb2.BlockConversion) -> BlockCounts:
        """The REST form of counts."""
        return cls(
            sent=block.sent,
            refused=block.refused,
            verified=block.verified,
            not_verified=block.not_verified,
            conversion=_rate(block),
        )


class BlockConversion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What went to one block of numbers, and what came of it."""

    block: Annotated[
        str,
        Meta(
            description="The numbers in E.164 without their last 3 digits.",
            extra_json_schema={"examples": ["+254712345"]},
        ),
    ]
    counts: BlockCounts
    suspected_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When it last looked pumped, within the last 10 minutes; null when it does not."),
    ]

    @classmethod
    def of(cls, block: feedback_pb2.BlockConversion) -> BlockConversion:
        """The REST form of a block."""
        suspected = instant(block.suspected_time) if block.HasField("suspected_time") else None
        return cls(block=block.block, counts=BlockCounts.of(block), suspected_at=suspected)


class Conversion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The conversion of an account."""

    user_id: Annotated[str, Meta(description="The account.")]
    since: Annotated[datetime, Meta(tz=True, description="The first instant that is counted.")]
    total: BlockCounts
    blocks: Annotated[
        Sequence[BlockConversion],
        Meta(description="First those that look pumped, then those with the most SMS."),
    ]

    @classmethod
    def of(cls, user_id: str, found: feedback_pb2.GetConversionResponse) -> Conversion:
        """The REST form of a report."""
        return cls(
            user_id=user_id,
            since=instant(found.period_start),
            total=BlockCounts.of(found.total),
            blocks=[BlockConversion.of(block) for block in found.blocks],
        )


def _rate(block: feedback_pb2.BlockConversion) -> float | None:
    told = block.verified + block.not_verified
    return round(block.verified / told, 4) if told else None
