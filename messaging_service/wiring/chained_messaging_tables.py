"""The tables of the messaging database that are chained, and what of their rows."""

from __future__ import annotations

from typing import Final

from service_kit.audit.chained_table import AUDIT, ChainedTable, instant, sequence

LEDGER: Final = ChainedTable(
    "ledger",
    "ledger_entry",
    "id",
    (
        *("account_id", "kind", "amount", "message_id", "attempt", instant("created_at"), "reference", "reason"),
        "booked_by",
    ),
    sequence("ledger_entry_id_seq"),
)
# Without the words of carriers, which are removed with a phone, and without the number of the transaction, which means
# nothing in a restored copy.
EVENTS: Final = ChainedTable(
    "events",
    "message_event",
    "id",
    (
        *("message_id", "attempt", "from_state", "to_state", instant("at"), "actor", "carrier", "code"),
        *("carrier_cost", "carrier_parts", instant("next_try_at"), "carrier_error_code"),
    ),
    sequence("message_event_id_seq"),
)
CHAINED_TABLES: Final = (AUDIT, LEDGER, EVENTS)
"""All of them."""
