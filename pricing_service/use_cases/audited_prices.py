"""What the audit log says of changes of the price book."""

from __future__ import annotations

from collections.abc import Sequence

from pricing_service.domain.cost import Cost
from pricing_service.domain.importing import PriceInEffect
from service_kit.audit.audit_entry import AuditRecord, Facts, fact, facts_of


def price_set(cost: Cost, before: PriceInEffect | None) -> AuditRecord:
    """A price that was recorded, over the one that was in effect at its instant."""
    return AuditRecord(
        "price.set", cost.cost_id, before=None if before is None else facts_of(before, "price"), after=_facts(cost)
    )


def price_withdrawn(cost: Cost) -> AuditRecord:
    """A price that was taken back before it took effect."""
    after = facts_of(cost.withdrawal, "withdrawn_by", "reason") if cost.withdrawal else None
    return AuditRecord("price.withdrawn", cost.cost_id, before=_facts(cost), after=after)


def prices_imported(recorded: Sequence[Cost], key: str | None) -> AuditRecord:
    """Prices that were recorded together, of which there is at least one.

    Each is a row of its own with its epoch, which is never changed, and whose chain covers all of it.
    """
    first, last = recorded[0], recorded[-1]
    after: Facts = {
        "rows": len(recorded),
        "first_epoch": first.epoch,
        "last_epoch": last.epoch,
        "created_by": sorted({cost.created_by for cost in recorded})[:10],
        "idempotency_key": key,
    }
    return AuditRecord("prices.imported", f"{first.cost_id}..{last.cost_id}", after=after)


def _facts(cost: Cost) -> Facts:
    said = facts_of(cost, "price", "reason", "effective_from", "created_by", "revision", "epoch", "overridden_guards")
    return {"level": fact(cost.tier.level), "entity": cost.tier.entity, **said}
