"""The tables of the pricing database; the migrations produce exactly these."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

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
    PrimaryKeyConstraint("cost_id", name="pk_cost"),
    # Also the index of every price look-up: read backwards from the instant asked for.
    UniqueConstraint("level", "entity", "effective_from", "revision", name="uq_cost_revision"),
    # Also the index of those who follow changes.
    UniqueConstraint("epoch", name="uq_cost_epoch"),
    CheckConstraint("level IN ('TukuPay', 'AppOwner', 'SpecificCustomer', 'DirectCustomer')", name="ck_cost_level"),
    CheckConstraint("(entity <> '') = (level IN ('AppOwner', 'SpecificCustomer'))", name="ck_cost_entity_fits_level"),
    CheckConstraint("price > 0", name="ck_cost_price_above_zero"),
    CheckConstraint("revision >= 1", name="ck_cost_revision_from_one"),
    comment="Every price ever recorded; rows are never changed or deleted",
)

price_epoch = Table(
    "price_epoch",
    metadata,
    Column("id", SmallInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False, comment="how many rows of cost were ever recorded"),
    PrimaryKeyConstraint("id", name="pk_price_epoch"),
    CheckConstraint("id = 1", name="ck_price_epoch_single_row"),
    comment="One row; its lock makes writers of cost take turns",
)
