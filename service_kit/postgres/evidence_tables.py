"""The tables of evidence that each service's database has; only migrations and their tests need them."""

from __future__ import annotations

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB


def audit_table(metadata: MetaData) -> Table:
    """The table of a service, which the migrations of that service produce."""
    return Table(
        "audit_entry",
        metadata,
        Column("id", BigInteger, Identity(always=True), nullable=False),
        Column("at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
        Column("action", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("account", Text),
        Column("principal", Text, nullable=False),
        Column("principal_kind", Text, nullable=False),
        Column("origin", Text),
        Column("request_id", Text),
        Column("before", JSONB),
        Column("after", JSONB),
        PrimaryKeyConstraint("id", name="pk_audit_entry"),
        Index("ix_audit_entry_account_id", "account", "id", postgresql_where=text("account IS NOT NULL")),
        Index("ix_audit_entry_principal_id", "principal", "id"),
    )


def chain_table(metadata: MetaData) -> Table:
    """The table of all chains of a database, which the migrations of its service produce."""
    return Table(
        "hash_chain",
        metadata,
        Column("chain", Text, nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("last_id", BigInteger, nullable=False),
        Column("rows", Integer, nullable=False),
        Column("marks", LargeBinary, nullable=False),
        Column("hash", LargeBinary, nullable=False),
        Column("format", SmallInteger, nullable=False),
        Column("chained_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
        PrimaryKeyConstraint("chain", "number", name="pk_hash_chain"),
    )
