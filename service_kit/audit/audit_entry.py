"""One line of the audit log, and which of them are wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import UUID

from service_kit.audit.actor import Actor

Fact: TypeAlias = "str | int | bool | Sequence[Fact] | Mapping[str, Fact] | None"
"""What JSON can say without a loss: amounts are strings of a decimal number, instants are ISO 8601 in UTC."""
Facts: TypeAlias = Mapping[str, Fact]


_FULL_NUMBER: Final = re.compile(r"(\+\d{5})\d+(\d\d)(?!\d)")


def facts_of(record: object, *names: str) -> Facts:
    """Some fields of a dataclass, all of them without names, as the audit log has them."""
    wanted = names or tuple(field.name for field in fields(record))  # type: ignore[arg-type]  # checked by `fields`
    return {name: fact(getattr(record, name)) for name in wanted}


def fact(value: object) -> Fact:  # noqa: PLR0911 - one form for each type
    """A value of the domain as the audit log has it, with phone numbers masked: `+25471…78`."""
    match value:
        case None | bool() | int():
            return value
        case str():
            # Also words of an enum, which JSON would name as their class does.
            return _FULL_NUMBER.sub(r"\1…\2", str(value))
        case Decimal():
            return format(value, "f")
        case UUID():
            return value.hex
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Mapping():
            return {str(key): fact(each) for key, each in value.items()}
        case Sequence() | frozenset() | set():
            return [fact(each) for each in (value if isinstance(value, Sequence) else sorted(value))]
        case _ if is_dataclass(value):
            return facts_of(value)
    raise TypeError(f"the audit log has no form for {type(value).__name__}")


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
