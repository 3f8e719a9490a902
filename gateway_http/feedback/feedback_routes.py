"""The routes of feedback: say whether a code came back, report conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.feedback.feedback_models import Conversion, FeedbackAnswer, NewFeedback
from gateway_http.feedback.feedback_operations import GET_CONVERSION, RECORD_FEEDBACK
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.query import whole_number
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.upstream import Call
from tukupay.sms.messaging.v1 import feedback_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.feedback_pb2_grpc import FeedbackServiceAsyncStub

_READ = Call("messaging")
_RECORD = Call("messaging", "the feedback may or may not be on record: repeating the request is safe")


class FeedbackRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, feedback: FeedbackServiceAsyncStub) -> None:
        self._feedback = feedback

    @handles_body(RECORD_FEEDBACK)
    async def record(self, request: RestRequest, new: NewFeedback) -> Response:
        """Records what became of a code."""
        outbox_id = request.path["outboxId"]
        await request.answer(self._feedback.RecordFeedback, new.to_request(outbox_id), _RECORD)
        return json_answer(FeedbackAnswer(outbox_id, new.outcome))

    @handles(GET_CONVERSION)
    async def conversion(self, request: RestRequest) -> Response:
        """Answers with the blocks that an account sent to."""
        question = pb.GetConversionRequest(
            user_id=request.query["userId"],
            hours=whole_number(request.query, "hours", request.operation.maximum("hours")),
            limit=request.page_size(),
        )
        found = await request.answer(self._feedback.GetConversion, question, _READ)
        return json_answer(Conversion.of(question.user_id, found))
