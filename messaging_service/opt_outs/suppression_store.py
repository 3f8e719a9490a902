"""The port to the list of those who want no messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from messaging_service.opt_outs.domain.suppression import Scope, Source, Suppression
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """An entry to make."""

    id: UUID
    scope: Scope
    source: Source
    reason: str
    created_by: str


@dataclass(frozen=True, slots=True)
class Added:
    """An entry that holds."""

    suppression: Suppression
    created: bool
    """False when an entry of the same scope and source held already: that one is shown, unchanged."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of the messages that were in the queue when an entry was made."""

    messages: int
    """Cancelled now, their holds released."""
    complete: bool
    """False while a message that the entry covers is on its way, or may yet appear in the queue; a later pass
    looks again."""


@dataclass(frozen=True, slots=True)
class SuppressionFilter:
    """Which entries to list. None means any."""

    phone: str | None = None
    sender_id: str | None = None
    account_id: str | None = None
    """Entries for just this account; those for every account are not among them."""
    source: Source | None = None
    with_ended: bool = False
    """Whether to list entries that hold no more, too."""


class Suppressions(Protocol):
    """The list. Entries are never deleted.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached.
    """

    async def add(self, new: NewSuppression, *, actor: Actor) -> Added:
        """Makes an entry, unless one of the same scope and source holds, and audits that.

        Whatever is asked to be sent within its scope after this returned is refused.
        """
        ...

    async def stop_queued(self, ids: Sequence[UUID], wait_s: float) -> Stopped:
        """Cancels what waits in the queue and is covered by these entries.

        `wait_s`: how long to wait for acceptances that began before the entries were made and may still commit.
        """
        ...

    async def stop_pending(self, limit: int, wait_s: float) -> Stopped:
        """`stop_queued` for up to `limit` entries whose last pass was not complete, or was never made.

        Not complete when there may be more than `limit` of them.
        """
        ...

    async def end(
        self, suppression_id: UUID, accounts: Accounts, source: Source, by: str, reason: str, *, actor: Actor
    ) -> Suppression | None:
        """Ends an entry, and audits that; one that ended before stays as it is. None when there is none.

        `accounts`: those of the caller, to whom other entries do not exist, nor those for every account; None for all.
        """
        ...

    async def covering(self, phone: str, sender_id: str, account_id: str) -> Sequence[Suppression]:
        """The entries that stop such a message now, oldest first; empty when none does."""
        ...

    async def list(
        self, wanted: SuppressionFilter, limit: int, after: tuple[datetime, UUID] | None
    ) -> Sequence[Suppression]:
        """Entries, newest first, those after a position."""
        ...
