"""The routes of the suppression list: add, end, list, check.

Phone numbers travel in bodies only: the address of a request is written into logs on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.query import choice, flag, limit, next_link, parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.upstream import Call, answer_of
from gateway_http.suppressions.suppression_models import (
    SOURCES,
    AddedSuppression,
    NewSuppression,
    SourceName,
    Suppression,
    SuppressionAnswer,
    SuppressionQuestion,
)
from tukupay.sms.messaging.v1 import suppressions_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.suppressions_pb2_grpc import SuppressionServiceAsyncStub

SUPPRESSIONS = "/api/sms/suppressions"
CHECK = "/api/sms/suppressions/check"
SUPPRESSION = "/api/sms/suppressions/{suppressionId}"
MAX_SUPPRESSIONS = 500

_READ = Call("messaging")
_WRITE = Call("messaging", "the entry may or may not be on record: repeating the request is safe")
_TIMEOUT_S = 10.0


class _SuppressionId(Convertor[str]):
    """A path segment that is not the name of a route beside it, so that `DELETE …/check` is a wrong method."""

    regex = "(?!check$)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("suppression_id", _SuppressionId())


class SuppressionRoutes:
    """Speaks to the messaging service."""

    def __init__(self, suppressions: SuppressionServiceAsyncStub) -> None:
        self._suppressions = suppressions
        self._new = JsonBody(NewSuppression)
        self._question = JsonBody(SuppressionQuestion)

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route(SUPPRESSIONS, self.list_entries, methods=["GET"]),
            Route(SUPPRESSIONS, self.add, methods=["POST"]),
            Route(CHECK, self.check, methods=["POST"]),
            Route(SUPPRESSION.replace("Id}", "Id:suppression_id}"), self.end, methods=["DELETE"]),
        ]

    async def add(self, request: Request) -> Response:
        """Makes an entry and answers 201 with it; 200 when it held already."""
        parameters(request.scope["query_string"], ())
        new = self._new.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._suppressions.AddSuppression(new.to_request(), timeout=_TIMEOUT_S, metadata=call_metadata(request))
        added = await answer_of(call, _WRITE)
        answer = AddedSuppression(
            suppression=Suppression.of(added.suppression), cancelled_messages=added.cancelled_messages
        )
        return json_answer(answer, 201 if added.created else 200)

    async def end(self, request: Request) -> Response:
        """Ends an entry and answers with it."""
        needed = ("reason", "endedBy")
        values = parameters(request.scope["query_string"], needed, required=needed)
        call = self._suppressions.RemoveSuppression(
            suppressions_pb2.RemoveSuppressionRequest(
                suppression_id=request.path_params["suppressionId"],
                source=suppressions_pb2.SUPPRESSION_SOURCE_API,
                reason=values["reason"],
                ended_by=values["endedBy"],
            ),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        return json_answer(Suppression.of((await answer_of(call, _WRITE)).suppression))

    async def check(self, request: Request) -> Response:
        """Answers whether a message would be refused, and why."""
        parameters(request.scope["query_string"], ())
        question = self._question.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._suppressions.CheckSuppression(
            question.to_request(), timeout=_TIMEOUT_S, metadata=call_metadata(request)
        )
        found = await answer_of(call, _READ)
        entries = [Suppression.of(entry) for entry in found.suppressions]
        return json_answer(SuppressionAnswer(suppressed=found.suppressed, suppressions=entries))

    async def list_entries(self, request: Request) -> Response:
        """Answers with a bare array, newest first, and a link to the next page when there is one."""
        known = ("userId", "senderId", "source", "includeEnded", "limit", "pageToken")
        values = parameters(request.scope["query_string"], known)
        source = choice(values, "source", tuple(SOURCES))
        question = suppressions_pb2.ListSuppressionsRequest(
            user_id=values.get("userId"),
            sender_id=values.get("senderId"),
            source=SOURCES[cast("SourceName", source)] if source else suppressions_pb2.SUPPRESSION_SOURCE_UNSPECIFIED,
            include_ended=flag(values, "includeEnded"),
            page_size=limit(values, MAX_SUPPRESSIONS),
            page_token=values.get("pageToken", ""),
        )
        call = self._suppressions.ListSuppressions(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        page = await answer_of(call, _READ)
        token = page.next_page_token
        headers = {"Link": next_link(SUPPRESSIONS, values, token)} if token else {}
        return json_answer([Suppression.of(entry) for entry in page.suppressions], headers=headers)
