"""An audit log as a test fills it, over real gRPC."""

from __future__ import annotations

import asyncio
from typing import Any

from service_kit.access.caller import origin
from tests.doubles.gateway_doubles import Scripted, at
from tukupay.sms.common.v1 import audit_pb2 as pb
from tukupay.sms.common.v1 import audit_pb2_grpc


def entry(**fields: Any) -> pb.AuditEntry:
    """An entry with a change."""
    known: dict[str, Any] = {
        "entry_id": 41,
        "time": at("2026-12-15T08:00:00Z"),
        "action": "account.updated",
        "subject": "user123",
        "user_id": "user123",
        "principal": "operator:jane",
        "principal_kind": "operator",
    }
    made = pb.AuditEntry(**(known | fields))
    made.before.update({"status": "active"})
    made.after.update({"status": "suspended", "limits": {"daily_spend": None}})
    return made


class AuditDouble(Scripted, audit_pb2_grpc.AuditServiceServicer):
    """Shows one entry, and notes where it is asked from."""

    def __init__(self) -> None:
        super().__init__()
        self.origin: str | None = None
        self.refused: list[pb.RefusedCall] = []
        self.noted = asyncio.Event()

    async def ListAuditEntries(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.origin = origin()
        answer = pb.ListAuditEntriesResponse(entries=[entry()])
        return await self._answer("ListAuditEntries", request, context, answer)

    async def NoteRefusals(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.refused += request.refusals
        self.noted.set()
        return pb.NoteRefusalsResponse()
