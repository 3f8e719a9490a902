"""API keys."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY

from messaging_service.shared.postgres.columns import INSTANT, MONEY, TransactionId, metadata, one_of
from service_kit.access.principal import AccessMode

# Rows are never deleted. The secret is in none of them.
api_key = Table(
    "api_key",
    metadata,
    # The public part of the key, and the principal that calls with it.
    Column("id", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("mode", Text, nullable=False),
    # NULL for all. No foreign key: an account may be named before it is opened.
    Column("accounts", ARRAY(Text)),
    Column("app_id", Text),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("networks", ARRAY(Text), nullable=False),
    Column("expires_at", INSTANT),
    Column("messages_per_minute", Integer),
    Column("daily_spend", MONEY),
    Column("created_at", INSTANT, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("last_used_at", INSTANT),
    Column("revoked_at", INSTANT),
    Column("revoked_by", Text),
    Column("replaced_by", Text, ForeignKey("api_key.id")),
    # The first of the keys that replaced one another, under whose id their use is counted; NULL for the first itself.
    Column("counted_as", Text),
    # The transaction that changed what the key may do, and since when; uses do not count.
    Column("changed_in", TransactionId, nullable=False, server_default=sql("pg_current_xact_id()")),
    PrimaryKeyConstraint("id"),
    one_of("mode", AccessMode),
    CheckConstraint("octet_length(sha256) = 32", name="sha256_whole"),
    CheckConstraint("starts_with(id, 'tk_' || mode || '_')", name="id_says_mode"),
    CheckConstraint("cardinality(accounts) > 0 AND cardinality(scopes) > 0", name="terms_not_empty"),
    CheckConstraint("messages_per_minute > 0 AND daily_spend > 0", name="limits_positive"),
    CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_whole"),
    Index("ix_api_key_created_at_id", sql("created_at DESC"), sql("id DESC")),
    Index("ix_api_key_accounts", "accounts", postgresql_using="gin"),
    Index("ix_api_key_changed_in", "changed_in"),
    Index("ix_api_key_replaced_by", "replaced_by", postgresql_where=sql("replaced_by IS NOT NULL")),
    postgresql_with={"fillfactor": 80},
)
