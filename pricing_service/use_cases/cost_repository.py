"""The port to the recorded prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from pricing_service.domain.cost import Change, Cost, CostDraft
from pricing_service.domain.edition import Edition
from pricing_service.domain.history import CostInstants, HistoryPosition
from pricing_service.domain.idempotency import Remembered
from pricing_service.domain.importing import PriceInEffect
from pricing_service.domain.resolution import Standing
from pricing_service.domain.tier import Level, Tier
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord


class Lookup(NamedTuple):
    """Asks what one tier has at an instant."""

    tier: Tier
    at: datetime | None
    """UTC; None means now, on the database's clock."""
    known_at: datetime | None = None
    """UTC; None means all that is known now."""


@dataclass(frozen=True, slots=True)
class InEffect:
    """What lookups found, all seen at one moment."""

    now: datetime
    """UTC, on the database's clock: the instant of every lookup that named none."""
    edition: Edition
    """With the newest change that was seen."""
    standings: Mapping[Lookup, Standing]
    """Of every lookup."""


@dataclass(frozen=True, slots=True)
class Considered:
    """The rows that an explanation is made from, all seen at one moment."""

    now: datetime
    """UTC, on the database's clock."""
    edition: Edition
    rows: Mapping[Tier, Sequence[Cost]]
    """Of every tier; `explanation.explain` says which."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A look at the counter of changes."""

    edition: Edition
    now: datetime
    """UTC, on the database's clock."""


class NewCost(NamedTuple):
    """A row to record."""

    cost_id: str
    draft: CostDraft
    overridden_guards: tuple[str, ...]


class Look(Protocol):
    """The price book as it stands, while others may change it."""

    @property
    def now(self) -> datetime:
        """UTC, on the database's clock."""
        ...

    async def remembered(self, key: str) -> Remembered | None:
        """What a request with this idempotency key came to; None when there was none."""
        ...

    async def prices_in_effect(self, places: Sequence[tuple[Tier, datetime]]) -> Sequence[PriceInEffect | None]:
        """The price of each tier at each instant, in their order."""
        ...

    async def find(self, cost_ids: Sequence[str]) -> Mapping[str, Cost]:
        """The rows with these ids; those that do not exist are left out."""
        ...


class Turn(Look, Protocol):
    """A transaction in which nobody else changes the price book.

    It is committed when its context ends, and undone when that raises. All that it records has the instant `now`,
    which is later than that of every change before it, and later than every `known_at` that was answered.
    """

    async def record(self, rows: Sequence[NewCost]) -> Sequence[Cost]:
        """Adds rows: the next revisions of their tiers and instants, the next epochs, in their order.

        No two of them are about the same tier and instant.
        """
        ...

    async def withdraw(self, cost_id: str, withdrawn_by: str, reason: str) -> Cost:
        """Marks a row that exists, is not withdrawn and has not taken effect."""
        ...

    async def audit(self, actor: Actor, what: AuditRecord) -> None:
        """Adds an entry to the audit log."""
        ...

    async def remember(self, key: str, request: Remembered) -> None:
        """Keeps what a request with a new key came to."""
        ...


class CostRepository(Protocol):
    """Keeps every row ever recorded, and counts all changes in its epoch.

    Each method is one transaction. All raise ServiceError UNAVAILABLE while the database is away.
    """

    def turn(self) -> AbstractAsyncContextManager[Turn]:
        """A turn at changing the price book.

        Callers take turns, so that nobody who saw an epoch can later find a smaller one that was not there
        before.
        """
        ...

    def look(self) -> AbstractAsyncContextManager[Look]:
        """A look at the price book for what changes nothing: it neither waits for a turn nor holds one up."""
        ...

    async def in_effect(self, lookups: Sequence[Lookup]) -> InEffect:
        """What each tier has at each instant, as `resolution.standing` defines it.

        With a `known_at` it waits for the change that is being recorded, so that the same question is answered
        alike ever after. A `known_at` after the `now` of the answer promises nothing.
        """
        ...

    async def considered(
        self, tiers: Sequence[Tier], at: datetime | None, known_at: datetime | None, limit: int
    ) -> Considered:
        """What it takes to explain a price, with at most `limit` rows a tier and two more; likewise."""
        ...

    async def history(self, tier: Tier, after: HistoryPosition | None, limit: int) -> Sequence[Cost]:
        """At most `limit` rows of a tier after a position, by `effective_from`, then epoch, withdrawn ones included.

        For a SpecificCustomer also the DirectCustomer rows with an `effective_from` before the
        customer's first own row that counts; all of them when it has none.
        """
        ...

    async def instants(self, tiers: Sequence[Tier], per_tier: int, limit: int) -> Sequence[Sequence[CostInstants]]:
        """The instants of the rows of each tier, in the order of the tiers, all seen at one moment.

        At most `per_tier` rows of a tier and `limit` in all: what is beyond that is left out, the last tiers first.
        """
        ...

    async def settled_now(self) -> datetime:
        """Now, on the database's clock, once every change before it is recorded."""
        ...

    async def lasting(self, level: Level, as_of: datetime, after: Cost | None, limit: int) -> Sequence[Cost]:
        """At most `limit` rows of a level in effect at an instant or later, as known then, by entity and instant.

        `after` is the last row of the page before; None for the first page.
        """
        ...

    async def tiers_after(self, tier: Tier | None, limit: int) -> Sequence[Tier]:
        """At most `limit` tiers that ever had a row, by level and entity, after one of them; None for the first."""
        ...

    async def beat(self) -> Beat:
        """How many changes were ever recorded, and what time it is."""
        ...

    async def changes_after(self, epoch: int, limit: int) -> Sequence[Change]:
        """At most `limit` changes after an epoch, in their order."""
        ...

    async def forget_requests(self, age: timedelta, limit: int) -> int:
        """Forgets at most `limit` idempotency keys that were last used before then, and returns how many."""
        ...
