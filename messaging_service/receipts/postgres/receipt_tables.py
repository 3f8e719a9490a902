"""What carriers reported of messages, kept until it is matched."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.shared.postgres.columns import INSTANT, NOW, metadata, one_of

receipt = Table(
    "receipt",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("carrier", Text, nullable=False),
    Column("carrier_message_id", Text, nullable=False),
    Column("canonical_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("recipient", Text),
    Column("sender_id", Text),
    Column("network_error", Text),
    Column("done_at", INSTANT),
    Column("raw", Text, nullable=False),
    Column("received_at", INSTANT, nullable=False, server_default=NOW),
    Column("message_id", Uuid),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("next_try_at", INSTANT, server_default=NOW),
    Column("network", Text),
    Column("all_parts", Boolean, nullable=False, server_default=text("false")),
    Column("other_id", Text, comment="canonical form of a second reading of the id"),
    Column("known_parts", Boolean, nullable=False, server_default=text("false")),
    Column("phone_alone", Boolean, nullable=False, server_default=text("false")),
    Column("failure_code", Text),
    PrimaryKeyConstraint("id"),
    one_of("state", ReceiptState),
    Index("ix_receipt_next_try_at", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
    Index("ix_receipt_carrier_canonical_id", "carrier", "canonical_id"),
    Index("ix_receipt_orphans", "received_at", postgresql_where=text("message_id IS NULL AND next_try_at IS NULL")),
)
