"""AuditService over gRPC, the same in every service."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from typing_extensions import override

from service_kit import page_token, reasons
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditEntry, AuditFilter, Facts
from service_kit.audit.audit_store import AuditStore
from service_kit.audit.refused_calls import RefusedCalls
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from service_kit.grpc.timestamps import to_datetime, to_timestamp
from tukupay.sms.common.v1 import audit_pb2 as pb
from tukupay.sms.common.v1 import audit_pb2_grpc

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["AuditService"].full_name
DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 500
MAX_REFUSALS: Final = 1_000
MAX_TEXT: Final = 256
"""Characters of a filter; nothing in the log that can be asked for is longer."""


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Translates between the stubs, the log and the counter of refusals."""

    def __init__(self, store: AuditStore, refused: RefusedCalls) -> None:
        self._store = store
        self._refused = refused

    @override
    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        faults: list[Violation] = []
        wanted = AuditFilter(
            action=_text(request, "action", faults),
            principal=_text(request, "principal", faults),
            account=_text(request, "user_id", faults),
            subject=_text(request, "subject", faults),
            start=_instant(request, "start_time", faults),
            end=_instant(request, "end_time", faults),
        )
        size = request.page_size or DEFAULT_PAGE
        if not 0 <= request.page_size <= MAX_PAGE:
            problem = f"is {request.page_size}; give 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}"
            faults.append(Violation("page_size", reasons.OUT_OF_RANGE, problem))
        if faults:
            raise invalid(faults)
        question = _question(wanted)
        before = _before(request.page_token, question) if request.page_token else None
        found = await self._store.entries(wanted, size + 1, before)
        page = found[:size]
        token = page_token.encode((page[-1].id,), question) if len(found) > size else ""
        return pb.ListAuditEntriesResponse(entries=[_from_entry(entry) for entry in page], next_page_token=token)

    @override
    async def NoteRefusals(self, request: pb.NoteRefusalsRequest, context: Context) -> pb.NoteRefusalsResponse:
        count = len(request.refusals)
        if not 1 <= count <= MAX_REFUSALS:
            problem = f"has {count} refusals; send 1 to {MAX_REFUSALS:,}"
            raise invalid([Violation("refusals", reasons.OUT_OF_RANGE, problem)])
        faults = [
            Violation(f"refusals[{place}]", reasons.REQUIRED, "has no principal, method or number of calls")
            for place, each in enumerate(request.refusals)
            if not each.principal or not each.method or each.calls < 1
        ]
        if faults:
            raise invalid(faults)
        for each in request.refusals:
            actor = Actor(
                each.principal[:MAX_TEXT],
                each.principal_kind[:MAX_TEXT],
                each.origin[:MAX_TEXT] if each.HasField("origin") else None,
                each.request_id[:MAX_TEXT] if each.HasField("request_id") else None,
            )
            self._refused.note(
                actor, each.method[:MAX_TEXT], each.scope if each.HasField("scope") else None, each.calls
            )
        return pb.NoteRefusalsResponse()


def _before(token: str, question: tuple[str | None, ...]) -> int:
    (position,) = page_token.decode(token, question, 1)
    if not isinstance(position, int) or not 0 < position < 2**63:
        raise page_token.refused("is not a token that this service made; start again without it")
    return position


def _text(request: pb.ListAuditEntriesRequest, field: str, faults: list[Violation]) -> str | None:
    if not request.HasField(field):  # type: ignore[arg-type]  # one of four names
        return None
    text: str = getattr(request, field)
    if not text or len(text) > MAX_TEXT or "\0" in text:
        problem = f"is empty, longer than {MAX_TEXT} characters or has a NUL; give one that an entry has"
        faults.append(Violation(field, reasons.MALFORMED, problem))
    return text


def _instant(request: pb.ListAuditEntriesRequest, field: str, faults: list[Violation]) -> datetime | None:
    if not request.HasField(field):  # type: ignore[arg-type]  # one of two names
        return None
    value: Timestamp = getattr(request, field)
    try:
        return to_datetime(value)
    except (ValueError, OverflowError):
        faults.append(Violation(field, reasons.INVALID_TIMESTAMP, "is no instant of the years 1 to 9999"))
        return None


def _question(wanted: AuditFilter) -> tuple[str | None, ...]:
    instants = (None if each is None else each.isoformat() for each in (wanted.start, wanted.end))
    return ("audit", wanted.action, wanted.principal, wanted.account, wanted.subject, *instants)


def _from_entry(entry: AuditEntry) -> pb.AuditEntry:
    actor, record = entry.actor, entry.record
    return pb.AuditEntry(
        entry_id=entry.id,
        time=to_timestamp(entry.at),
        action=record.action,
        subject=record.subject,
        user_id=record.account,
        principal=actor.principal,
        principal_kind=actor.kind,
        origin=actor.origin,
        request_id=actor.request_id,
        before=_struct(record.before),
        after=_struct(record.after),
    )


def _struct(facts: Facts | None) -> Struct | None:
    if facts is None:
        return None
    struct = Struct()
    struct.update(dict(facts))
    return struct
