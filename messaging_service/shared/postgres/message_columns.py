"""The columns of a message, wherever a statement selects one."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.money import Price
from messaging_service.shared.postgres.record_columns import RecordColumns

_ZERO: Final = Decimal(0)
# Only a message that was resent has earlier attempts: no other is looked up in the ledger.
_EARLIER: Final = """
    CASE WHEN m.retry_count > 0 THEN (
        SELECT sum(l.amount) FROM ledger_entry l
        WHERE l.message_id = m.id AND l.attempt <= m.retry_count AND l.kind = '{kind}'
    ) END
"""

MESSAGE: Final = RecordColumns(
    Message,
    table="m",
    columns={"custom_data_json": "custom_data"},
    sql={
        "text": "coalesce(m.text, '')",
        "custom_data_json": "m.custom_data::text",
        "is_text_erased": "(m.text IS NULL AND m.content IS NULL)",
        "earlier_charged": _EARLIER.format(kind="charge"),
        "earlier_refunded": _EARLIER.format(kind="refund"),
    },
    read={
        "earlier_charged": lambda amount: _ZERO if amount is None else -amount,
        "earlier_refunded": lambda amount: _ZERO if amount is None else amount,
    },
    parts={"price": RecordColumns(Price, columns={"cost_id": "price_cost_id", "level": "price_level"})},
)
"""Of a message table aliased `m`. A field of Message that is a column of the same name needs nothing here."""
