"""Rows of the message table as domain objects; rows end here."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from messaging_service.shared.domain.encoding import Encoding
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.money import Price, PriceLevel
from messaging_service.shared.domain.states import Billing, Priority, State

# Only a message that was resent has earlier attempts: no other is looked up in the ledger.
_EARLIER = """
    CASE WHEN m.retry_count > 0 THEN (
        SELECT sum(l.amount) FROM ledger_entry l
        WHERE l.message_id = m.id AND l.attempt <= m.retry_count AND l.kind = '{kind}'
    ) END
"""
MESSAGE_COLUMNS = f"""
    m.id, m.account_id, m.client_message_id, m.app_id, m.recipient, m.text, m.sender_id, m.message_name,
    m.priority, m.encoding, m.units, m.price_cost_id, m.price_level, m.unit_price, m.total, m.state, m.billing,
    m.retry_count, m.error_code, m.carrier, m.created_at, m.scheduled_at, m.sent_at, m.last_attempt_at,
    m.delivered_at, m.tags, m.custom_data::text, m.expires_at, m.carrier_error_code, m.priced_at, m.price_known_at,
    {_EARLIER.format(kind="charge")}, {_EARLIER.format(kind="refund")}
"""
"""The columns that `to_message` takes, in its order, of a message table aliased `m`."""

MESSAGE_WIDTH = 33
"""How many columns that is."""


def to_message(row: tuple[Any, ...]) -> Message:
    """One row of MESSAGE_COLUMNS; further columns are ignored."""
    return Message(
        id=row[0],
        account_id=row[1],
        client_message_id=row[2],
        app_id=row[3],
        recipient=row[4],
        text=row[5],
        sender_id=row[6],
        message_name=row[7],
        priority=Priority(row[8]),
        encoding=Encoding(row[9]),
        units=row[10],
        price=Price(unit_price=row[13], cost_id=row[11], level=PriceLevel(row[12])),
        priced_at=row[29],
        price_known_at=row[30],
        total=row[14],
        state=State(row[15]),
        billing=Billing(row[16]),
        retry_count=row[17],
        error_code=row[18],
        carrier=row[19],
        created_at=row[20],
        scheduled_at=row[21],
        sent_at=row[22],
        last_attempt_at=row[23],
        delivered_at=row[24],
        tags=tuple(row[25]),
        custom_data_json=row[26],
        expires_at=row[27],
        carrier_error_code=row[28],
        earlier_charged=-(row[31] or Decimal(0)),
        earlier_refunded=row[32] or Decimal(0),
    )
