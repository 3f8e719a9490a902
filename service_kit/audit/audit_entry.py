"""One line of the audit log, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from service_kit.audit.actor import Actor

Fact: TypeAlias = "str | int | bool | Sequence[Fact] | Mapping[str, Fact] | None"
"""What JSON can say without a loss: amounts are strings of a decimal number, instants are ISO 8601 in UTC."""
Facts: TypeAlias = Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What was done. It names no secret, no text of a message and no full phone number."""

    action: str
    """A noun and what happened to it, for instance `account.updated`."""
    subject: str
    """The id of what was changed."""
    account: str | None = None
    """The account that it belongs to; None when it belongs to none."""
    before: Facts | None = None
    """How it was; None when it did not exist or nothing was changed."""
    after: Facts | None = None
    """How it is now; None when it is gone."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A record as it stands in the log; never changed or removed."""

    id: int
    at: datetime
    """UTC, on the database's clock: when the transaction of the change began."""
    actor: Actor
    record: AuditRecord


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted. None means any."""

    action: str | None = None
    """The whole action, or its noun with a dot at the end: `account.`."""
    principal: str | None = None
    account: str | None = None
    subject: str | None = None
    start: datetime | None = None
    """Entries from this instant on."""
    end: datetime | None = None
    """Entries before this instant."""
