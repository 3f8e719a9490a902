"""FeedbackService over gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from typing_extensions import override

from messaging_service.abuse.domain.conversion import BlockConversion, FeedbackOutcome
from messaging_service.abuse.feedback import Feedback
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.grpc.entry_ids import existing
from messaging_service.shared.grpc.wire import from_instant
from service_kit.access.caller import caller
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import feedback_pb2 as pb
from tukupay.sms.messaging.v1 import feedback_pb2_grpc

MAX_HOURS: Final = 168
DEFAULT_HOURS: Final = 24
MAX_BLOCKS: Final = 1_000
DEFAULT_BLOCKS: Final = 50
_OUTCOMES: Final[Mapping[int, FeedbackOutcome]] = {
    pb.FEEDBACK_OUTCOME_VERIFIED: FeedbackOutcome.VERIFIED,
    pb.FEEDBACK_OUTCOME_NOT_VERIFIED: FeedbackOutcome.NOT_VERIFIED,
}


class FeedbackServicer(feedback_pb2_grpc.FeedbackServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, feedback: Feedback) -> None:
        self._feedback = feedback

    @override
    async def RecordFeedback(self, request: pb.RecordFeedbackRequest, context: Context) -> pb.RecordFeedbackResponse:
        outcome = _OUTCOMES.get(request.outcome)
        if outcome is None:
            problem = "is none of FeedbackOutcome; say whether the code came back"
            raise invalid([Violation("outcome", reasons.INVALID_VALUE, problem)])
        by = caller()
        replayed = await self._feedback.record(existing(request.outbox_id), outcome, by.accounts, by.mode)
        return pb.RecordFeedbackResponse(replayed=replayed)

    @override
    async def GetConversion(self, request: pb.GetConversionRequest, context: Context) -> pb.GetConversionResponse:
        violations: list[Violation] = []
        if problem := text_problem(request.user_id, MAX_IDENTIFIER):
            violations.append(Violation("user_id", reasons.INVALID_IDENTIFIER, problem))
        for field, value, most in (("hours", request.hours, MAX_HOURS), ("limit", request.limit, MAX_BLOCKS)):
            if not 0 <= value <= most:
                violations.append(Violation(field, reasons.OUT_OF_RANGE, f"is {value}; give 1 to {most:,}"))
        if violations:
            raise invalid(violations)
        found = await self._feedback.conversion(
            request.user_id, request.hours or DEFAULT_HOURS, request.limit or DEFAULT_BLOCKS
        )
        return pb.GetConversionResponse(
            blocks=[_from_block(block) for block in found.blocks],
            total=_from_block(found.total),
            period_start=from_instant(found.since),
        )


def _from_block(block: BlockConversion) -> pb.BlockConversion:
    return pb.BlockConversion(
        block=block.block,
        sent=block.sent,
        refused=block.refused,
        verified=block.verified,
        not_verified=block.not_verified,
        suspected_time=None if block.suspected_at is None else from_instant(block.suspected_at),
    )
