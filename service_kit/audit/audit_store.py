"""The port to the audit log of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditEntry, AuditFilter, AuditRecord


class AuditSink(Protocol):
    """Takes entries that belong to no other change."""

    async def add(self, entries: Sequence[tuple[Actor, AuditRecord]]) -> None:
        """Adds entries, all or none. Raises ServiceError UNAVAILABLE."""
        ...


class AuditStore(AuditSink, Protocol):
    """The audit log of a service. Every method raises ServiceError DATABASE_UNAVAILABLE."""

    async def entries(self, wanted: AuditFilter, limit: int, before: int | None) -> Sequence[AuditEntry]:
        """Up to `limit` entries, newest first, those with numbers below `before`; None for the first page."""
        ...
