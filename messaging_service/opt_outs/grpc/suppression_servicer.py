"""SuppressionService over gRPC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from typing_extensions import override

from messaging_service.opt_outs.domain.suppression import Scope, Source, Suppression
from messaging_service.opt_outs.opt_outs import OptOuts, suppression_not_found
from messaging_service.opt_outs.suppression_store import SuppressionFilter
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.shown_numbers import shown_number
from messaging_service.shared.grpc import list_pages, wire
from service_kit.access.caller import caller
from service_kit.access.principal import Principal
from service_kit.audit.actor import actor
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import suppressions_pb2 as pb
from tukupay.sms.messaging.v1 import suppressions_pb2_grpc

SOURCES: Mapping[Source, pb.SuppressionSource.ValueType] = {
    Source.STOP_KEYWORD: pb.SUPPRESSION_SOURCE_STOP_KEYWORD,
    Source.CARRIER: pb.SUPPRESSION_SOURCE_CARRIER,
    Source.OPERATOR: pb.SUPPRESSION_SOURCE_OPERATOR,
    Source.API: pb.SUPPRESSION_SOURCE_API,
}
SOURCE_OF: Mapping[int, Source | None] = {
    pb.SUPPRESSION_SOURCE_UNSPECIFIED: None,
    **{value: key for key, value in SOURCES.items()},
}

_ID_PREFIX = "suppression_"
_ID = re.compile(_ID_PREFIX + r"([0-9a-f]{32})")


class SuppressionServicer(suppressions_pb2_grpc.SuppressionServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, opt_outs: OptOuts) -> None:
        self._opt_outs = opt_outs

    @override
    async def AddSuppression(self, request: pb.AddSuppressionRequest, context: Context) -> pb.AddSuppressionResponse:
        scope = Scope(
            request.phone_number,
            request.sender_id if request.HasField("sender_id") else None,
            request.user_id if request.HasField("user_id") else None,
        )
        answer = await self._opt_outs.add(
            scope, _source(request.source) or Source.API, request.reason, request.created_by, actor=actor()
        )
        return pb.AddSuppressionResponse(
            suppression=from_suppression(answer.added.suppression, caller()),
            created=answer.added.created,
            cancelled_messages=answer.cancelled,
        )

    @override
    async def RemoveSuppression(
        self, request: pb.RemoveSuppressionRequest, context: Context
    ) -> pb.RemoveSuppressionResponse:
        source = _source(request.source) or Source.API
        suppression_id, accounts = _id(request.suppression_id), caller().accounts
        ended = await self._opt_outs.remove(
            suppression_id, accounts, source, request.reason, request.ended_by, actor=actor()
        )
        return pb.RemoveSuppressionResponse(suppression=from_suppression(ended, caller()))

    @override
    async def ListSuppressions(
        self, request: pb.ListSuppressionsRequest, context: Context
    ) -> pb.ListSuppressionsResponse:
        size = list_pages.page_size(request.page_size)
        wanted = SuppressionFilter(
            phone=request.phone_number if request.HasField("phone_number") else None,
            sender_id=request.sender_id if request.HasField("sender_id") else None,
            account_id=request.user_id if request.HasField("user_id") else None,
            source=_source(request.source),
            with_ended=request.include_ended,
        )
        question = (wanted.phone, wanted.sender_id, wanted.account_id, wanted.source, int(wanted.with_ended))
        after = list_pages.after(request.page_token, question)
        found = await self._opt_outs.list(wanted, size + 1, after)
        page, token = list_pages.page_of(found, size, question, lambda row: (row.created_at, row.id))
        return pb.ListSuppressionsResponse(
            suppressions=[from_suppression(entry, caller()) for entry in page], next_page_token=token
        )

    @override
    async def CheckSuppression(
        self, request: pb.CheckSuppressionRequest, context: Context
    ) -> pb.CheckSuppressionResponse:
        scope = Scope(request.phone_number, request.sender_id or None, request.user_id or None)
        found = await self._opt_outs.covering(scope)
        return pb.CheckSuppressionResponse(
            suppressed=bool(found), suppressions=[from_suppression(entry, caller()) for entry in found]
        )


def from_suppression(entry: Suppression, viewer: Principal) -> pb.Suppression:
    """The public form of an entry, for a caller."""
    ending = None
    if entry.ending is not None:
        ending = pb.SuppressionEnding(
            ended_time=wire.from_instant(entry.ending.at),
            source=SOURCES[entry.ending.source],
            ended_by=entry.ending.by,
            reason=entry.ending.reason,
        )
    return pb.Suppression(
        suppression_id=_ID_PREFIX + entry.id.hex,
        phone_number=shown_number(entry.scope.phone, viewer),
        sender_id=entry.scope.sender_id,
        user_id=entry.scope.account_id,
        source=SOURCES[entry.source],
        reason=entry.reason,
        created_by=entry.created_by,
        created_time=wire.from_instant(entry.created_at),
        ending=ending,
    )


def _source(value: int) -> Source | None:
    if value not in SOURCE_OF:
        problem = f"has the unknown value {value}; use one of SuppressionSource"
        raise invalid([Violation("source", reasons.UNKNOWN_SOURCE, problem)])
    return SOURCE_OF[value]


def _id(text: str) -> UUID:
    """The id behind its public spelling; what cannot be an id does not exist."""
    if not text:
        raise invalid([Violation("suppression_id", reasons.REQUIRED, "is empty; give the id of an entry")])
    match = _ID.fullmatch(text)
    if match is None:
        raise suppression_not_found()
    return UUID(hex=match[1])
