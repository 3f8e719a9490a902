"""Entries of the audit log, as the terminal shows them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from rich.markup import escape
from rich.table import Table

from service_kit.grpc.timestamps import to_timestamp
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.service_calls import audit_stub
from sms_cli.shared.terminal import print_table
from sms_cli.shared.terminal_instants import exact, shown
from tukupay.sms.common.v1 import audit_pb2 as pb

MAX_PAGE = 500


def question(
    *,
    action: str | None,
    principal: str | None,
    user_id: str | None,
    subject: str | None,
    start: datetime | None,
    end: datetime | None,
) -> pb.ListAuditEntriesRequest:
    """What to ask for; None is any."""
    return pb.ListAuditEntriesRequest(
        action=action,
        principal=principal,
        user_id=user_id,
        subject=subject,
        start_time=None if start is None else to_timestamp(start),
        end_time=None if end is None else to_timestamp(end),
    )


def entries(service: str, question: pb.ListAuditEntriesRequest, limit: int) -> list[pb.AuditEntry]:
    """Up to `limit` entries of the log of a service, newest first. Raises CommandError."""

    async def ask() -> list[pb.AuditEntry]:
        settings = client_settings()
        address = settings.pricing if service == "pricing" else settings.messaging
        found: list[pb.AuditEntry] = []
        async with audit_stub(service, address) as stub:
            while len(found) < limit:
                question.page_size = min(MAX_PAGE, limit - len(found))
                page = await stub.ListAuditEntries(question)
                found += page.entries
                if not page.next_page_token:
                    break
                question.page_token = page.next_page_token
        return found

    return asyncio.run(ask())


def show(found: Sequence[pb.AuditEntry]) -> None:
    """Prints entries for people."""
    table = Table("at", "who", "from", "action", "subject", "change")
    for entry in found:
        cells = (entry.principal, entry.origin, entry.action, entry.subject, _change(entry))
        table.add_row(shown(entry.time), *map(escape, cells))
    print_table(table, wraps={"change", "subject"})


def document(found: Sequence[pb.AuditEntry]) -> list[dict[str, Any]]:
    """Entries for programs."""
    return [
        {
            "entryId": entry.entry_id,
            "at": exact(entry.time),
            "action": entry.action,
            "subject": entry.subject,
            "userId": entry.user_id if entry.HasField("user_id") else None,
            "principal": entry.principal,
            "principalKind": entry.principal_kind,
            "origin": entry.origin if entry.HasField("origin") else None,
            "requestId": entry.request_id if entry.HasField("request_id") else None,
            "before": MessageToDict(entry.before) if entry.HasField("before") else None,
            "after": MessageToDict(entry.after) if entry.HasField("after") else None,
        }
        for entry in found
    ]


def _change(entry: pb.AuditEntry) -> str:
    """What differs, as far as both say it."""
    before, after = MessageToDict(entry.before), MessageToDict(entry.after)
    if not entry.HasField("before") or not entry.HasField("after"):
        return json.dumps(after or before, ensure_ascii=False)
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    return "; ".join(
        f"{name}: {json.dumps(before.get(name), ensure_ascii=False)} → {json.dumps(value, ensure_ascii=False)}"
        for name, value in changed.items()
    )
