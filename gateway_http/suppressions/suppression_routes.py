"""The routes of the suppression list: add, list, check, end.

Phone numbers travel in bodies only: the address of a request is written into logs on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.query import chosen, flag
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.upstream import Call
from gateway_http.suppressions.suppression_models import (
    SOURCES,
    AddedSuppression,
    NewSuppression,
    Suppression,
    SuppressionAnswer,
    SuppressionQuestion,
)
from gateway_http.suppressions.suppression_operations import (
    ADD_SUPPRESSION,
    CHECK_SUPPRESSION,
    END_SUPPRESSION,
    LIST_SUPPRESSIONS,
)
from tukupay.sms.messaging.v1 import suppressions_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.suppressions_pb2_grpc import SuppressionServiceAsyncStub

_READ = Call("messaging")
_WRITE = Call("messaging", "the entry may or may not be on record: repeating the request is safe")


class SuppressionRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, suppressions: SuppressionServiceAsyncStub) -> None:
        self._suppressions = suppressions

    @handles_body(ADD_SUPPRESSION)
    async def add(self, request: RestRequest, new: NewSuppression) -> Response:
        """Makes an entry and answers 201 with it; 200 when it held already."""
        added = await request.answer(self._suppressions.AddSuppression, new.to_request(), _WRITE)
        answer = AddedSuppression(
            suppression=Suppression.of(added.suppression), cancelled_messages=added.cancelled_messages
        )
        return json_answer(answer, 201 if added.created else 200)

    @handles(LIST_SUPPRESSIONS)
    async def list_entries(self, request: RestRequest) -> Response:
        """Answers with a bare array, newest first."""
        question = pb.ListSuppressionsRequest(
            user_id=request.query.get("userId"),
            sender_id=request.query.get("senderId"),
            source=chosen(request.query, "source", SOURCES, pb.SUPPRESSION_SOURCE_UNSPECIFIED),
            include_ended=flag(request.query, "includeEnded"),
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        page = await request.answer(self._suppressions.ListSuppressions, question, _READ)
        return request.page([Suppression.of(entry) for entry in page.suppressions], page.next_page_token)

    @handles_body(CHECK_SUPPRESSION)
    async def check(self, request: RestRequest, question: SuppressionQuestion) -> Response:
        """Answers whether a message would be refused, and why."""
        found = await request.answer(self._suppressions.CheckSuppression, question.to_request(), _READ)
        entries = [Suppression.of(entry) for entry in found.suppressions]
        return json_answer(SuppressionAnswer(suppressed=found.suppressed, suppressions=entries))

    @handles(END_SUPPRESSION, unlike="check")
    async def end(self, request: RestRequest) -> Response:
        """Ends an entry and answers with it."""
        question = pb.RemoveSuppressionRequest(
            suppression_id=request.path["suppressionId"],
            source=pb.SUPPRESSION_SOURCE_API,
            reason=request.query["reason"],
            ended_by=request.query["endedBy"],
        )
        ended = await request.answer(self._suppressions.RemoveSuppression, question, _WRITE)
        return json_answer(Suppression.of(ended.suppression))
