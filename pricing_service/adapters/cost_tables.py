"""The tables of the pricing database; the migrations produce exactly these."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from service_kit.postgres.evidence_tables import audit_table, chain_table

metadata = MetaData()

audit_entry = audit_table(metadata)
hash_chain = chain_table(metadata)

cost = Table(
    "cost",
    metadata,
    Column("cost_id", Text, nullable=False, comment="cost_ and 32 hexadecimal digits of a UUIDv7"),
    Column("level", Text, nullable=False),
    Column("entity", Text, nullable=False, comment="customer or app; empty for the levels without one"),
    Column("effective_from", DateTime(timezone=True), nullable=False),
    Column("revision", Integer, nullable=False, comment="1, 2, ... per level, entity and effective_from"),
    Column("price", Numeric(18, 6), nullable=False, comment="KES for one SMS unit"),
    Column("reason", Text, nullable=True, comment="NULL when none was given"),
    Column("created_by", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, comment="clock of this server"),
    Column("epoch", BigInteger, nullable=False, comment="value of price_epoch that recorded this row"),
    Column(
        "overridden_guards",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'::text[]"),
        comment="names of the guards that found the row unusual",
    ),
    Column(
        "withdrawn_at",
        DateTime(timezone=True),
        nullable=True,
        comment="clock of this server; NULL when not withdrawn",
    ),
    Column("withdrawn_by", Text, nullable=True),
    Column("withdrawn_reason", Text, nullable=True),
    Column(
        "withdrawn_epoch",
        BigInteger,
        nullable=True,
        comment="value of price_epoch that recorded the withdrawal",
    ),
    PrimaryKeyConstraint("cost_id", name="pk_cost"),
    # Also the index of every price look-up: read backwards from the instant asked for.
    UniqueConstraint("level", "entity", "effective_from", "revision", name="uq_cost_revision"),
    # Also the index of those who follow changes.
    UniqueConstraint("epoch", name="uq_cost_epoch"),
    Index(
        "uq_cost_withdrawn_epoch",
        "withdrawn_epoch",
        unique=True,
        postgresql_where=text("withdrawn_epoch IS NOT NULL"),
    ),
    CheckConstraint("level IN ('TukuPay', 'AppOwner', 'SpecificCustomer', 'DirectCustomer')", name="ck_cost_level"),
    CheckConstraint("(entity <> '') = (level IN ('AppOwner', 'SpecificCustomer'))", name="ck_cost_entity_fits_level"),
    CheckConstraint("price >= 0", name="ck_cost_price_not_negative"),
    CheckConstraint(
        "num_nulls(withdrawn_at, withdrawn_by, withdrawn_reason, withdrawn_epoch) IN (0, 4)",
        name="ck_cost_withdrawal_whole",
    ),
    CheckConstraint("withdrawn_at < effective_from", name="ck_cost_withdrawn_before_effect"),
    CheckConstraint("revision >= 1", name="ck_cost_revision_from_one"),
    comment="Every price ever recorded; never deleted, and changed only by a withdrawal before it takes effect",
)

price_epoch = Table(
    "price_epoch",
    metadata,
    Column("id", SmallInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False, comment="how many changes were recorded: new rows and withdrawals"),
    Column(
        "changed_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("'-infinity'::timestamptz"),
        comment="instant of the newest change; each change is later than the one before",
    ),
    PrimaryKeyConstraint("id", name="pk_price_epoch"),
    CheckConstraint("id = 1", name="ck_price_epoch_single_row"),
    comment="One row; its lock makes writers of cost take turns",
)

price_request = Table(
    "price_request",
    metadata,
    Column("idempotency_key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False, comment="SHA-256 of the request"),
    Column(
        "cost_ids",
        ARRAY(Text),
        nullable=False,
        comment="rows that it made, in its order; NULL elements changed nothing",
    ),
    Column(
        "previous_prices",
        ARRAY(Numeric(18, 6)),
        nullable=False,
        comment="prices in effect before it; NULL elements had none",
    ),
    Column("recorded_at", DateTime(timezone=True), nullable=False, comment="clock of this server"),
    PrimaryKeyConstraint("idempotency_key", name="pk_price_request"),
    Index("ix_price_request_recorded_at", "recorded_at"),
    comment="What requests with an idempotency key came to; forgotten after a while",
)
