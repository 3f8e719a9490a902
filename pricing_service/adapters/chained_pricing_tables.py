"""The tables of the pricing database that are chained, and what of their rows."""

from __future__ import annotations

from typing import Final

from service_kit.audit.chained_table import AUDIT, ChainedTable, instant

# Without what a withdrawal adds to a row later: the audit log has that.
COSTS: Final = ChainedTable(
    "costs",
    "cost",
    "epoch",
    (
        *("cost_id", "level", "entity", instant("effective_from"), "revision", "price", "reason", "created_by"),
        *(instant("recorded_at"), "overridden_guards"),
    ),
    # Changes take turns: whoever has a number has committed, or is the only one.
    "SELECT coalesce(max(epoch), 0) FROM price_epoch",
)
CHAINED_TABLES: Final = (AUDIT, COSTS)
"""All of them."""
