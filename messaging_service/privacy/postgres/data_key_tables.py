"""The data keys of texts, wrapped, and how far the conversion of older rows has come."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from messaging_service.shared.postgres.columns import INSTANT, NOW, metadata

data_key = Table(
    "data_key",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    # No foreign key: the key is there before the first message opens the account. Empty for none.
    Column("account_id", Text, nullable=False),
    # First day of the month in UTC; NULL for the key of values that stay.
    Column("month", Date),
    Column("wrapped_by", Text, nullable=False),
    Column("wrapped", LargeBinary),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    # Set by retention, together with the end of `wrapped`: the row stays, so that no other key gets its number.
    Column("destroyed_at", INSTANT),
    PrimaryKeyConstraint("id"),
    CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed"),
    CheckConstraint("month IS NOT NULL OR destroyed_at IS NULL", name="only_months_end"),
    Index("uq_data_key_scope", "account_id", "month", unique=True, postgresql_nulls_not_distinct=True),
    Index("ix_data_key_month", "month", postgresql_where=text("wrapped IS NOT NULL")),
)

# How far each task that goes through a whole table has come; one process at a time works on one.
privacy_task = Table(
    "privacy_task",
    metadata,
    Column("name", Text, nullable=False),
    Column("position", Text, nullable=False, server_default=""),
    Column("rows", BigInteger, nullable=False, server_default="0"),
    Column("caught_up", Boolean, nullable=False, server_default=text("false")),
    Column("moved_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("name"),
)
