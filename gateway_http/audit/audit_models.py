"""Entries of the audit log as REST shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from msgspec import Meta

from gateway_http.shared.rest_instants import instant
from tukupay.sms.common.v1 import audit_pb2 as pb

_Facts = dict[str, Any] | None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One change, or one refusal."""

    entry_id: Annotated[int, Meta(description="Later entries have higher numbers, with gaps.")]
    at: Annotated[datetime, Meta(tz=True, description="When the change began.")]
    action: Annotated[str, Meta(description="What happened to what; new ones may be added.")]
    subject: Annotated[str, Meta(description="The identifier of what was changed.")]
    user_id: Annotated[str | None, Meta(description="The account that it belongs to; null: to none.")]
    principal: Annotated[str, Meta(description="The caller who asked for it.")]
    principal_kind: Annotated[
        str,
        Meta(description="What the caller showed: api_key, oidc, workload, operator, open (nothing) or platform."),
    ]
    origin: Annotated[str | None, Meta(description="The IP address that the request came from; null: not known.")]
    request_id: Annotated[str | None, Meta(description="The request, as the logs name it; null: none.")]
    before: Annotated[_Facts, Meta(description="How it was; null: it did not exist, or nothing was changed.")]
    after: Annotated[_Facts, Meta(description="How it is after the change; null: it is gone.")]

    @classmethod
    def of(cls, entry: pb.AuditEntry) -> AuditEntry:
        """The entry of a service as REST shows it."""
        return cls(
            entry_id=entry.entry_id,
            at=instant(entry.time),
            action=entry.action,
            subject=entry.subject,
            user_id=entry.user_id if entry.HasField("user_id") else None,
            principal=entry.principal,
            principal_kind=entry.principal_kind,
            origin=entry.origin if entry.HasField("origin") else None,
            request_id=entry.request_id if entry.HasField("request_id") else None,
            before=_facts(entry.before) if entry.HasField("before") else None,
            after=_facts(entry.after) if entry.HasField("after") else None,
        )


def _facts(struct: Struct) -> dict[str, Any]:
    facts: dict[str, Any] = MessageToDict(struct)
    return facts
