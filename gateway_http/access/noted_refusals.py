"""Hands what the gateway refuses itself to messaging, whose audit log has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from grpc import aio
from typing_extensions import override

from gateway_http.shared import reasons
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord
from service_kit.audit.audit_store import AuditSink
from service_kit.errors import Kind, ServiceError
from tukupay.sms.common.v1 import audit_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.common.v1.audit_pb2_grpc import AuditServiceAsyncStub

_DEADLINE_S: Final = 10.0


class NotedRefusals(AuditSink):
    """Implements AuditSink over AuditService."""

    def __init__(self, audit: AuditServiceAsyncStub) -> None:
        self._audit = audit

    @override
    async def add(self, entries: Sequence[tuple[Actor, AuditRecord]]) -> None:
        calls = [_refused(actor, what) for actor, what in entries]
        try:
            await self._audit.NoteRefusals(pb.NoteRefusalsRequest(refusals=calls), timeout=_DEADLINE_S)
        except aio.AioRpcError as error:
            problem = f"messaging does not take what was refused: {error.code().name}"
            raise ServiceError(Kind.UNAVAILABLE, reasons.MESSAGING_UNAVAILABLE, problem) from error


def _refused(actor: Actor, what: AuditRecord) -> pb.RefusedCall:
    said = what.after or {}
    scope, calls = said.get("scope"), said.get("calls")
    return pb.RefusedCall(
        principal=actor.principal,
        principal_kind=actor.kind,
        method=what.subject,
        scope=scope if isinstance(scope, str) else None,
        origin=actor.origin,
        request_id=actor.request_id,
        calls=calls if isinstance(calls, int) else 1,
    )
