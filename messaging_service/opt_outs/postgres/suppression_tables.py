"""Phones that are not to be written to, and what they wrote."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
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

from messaging_service.opt_outs.domain.suppression import Directive, Source
from messaging_service.shared.postgres.columns import INSTANT, NOW, metadata, one_of

suppression = Table(
    "suppression",
    metadata,
    Column("id", Uuid, nullable=False),
    # In E.164, or `#` and its index under a key once the phone was erased.
    Column("phone", Text, nullable=False),
    Column("sender_id", Text),
    Column("sender_key", Text),
    # No foreign key: an account may be named before it sends for the first time.
    Column("account_id", Text),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("inbound_id", BigInteger),
    Column("ended_at", INSTANT),
    Column("ended_source", Text),
    Column("ended_by", Text),
    Column("ended_reason", Text),
    Column("pass_due_at", INSTANT),
    PrimaryKeyConstraint("id"),
    one_of("source", Source),
    one_of("ended_source", Source),
    CheckConstraint("(sender_id IS NULL) = (sender_key IS NULL)", name="sender_with_key"),
    CheckConstraint("num_nulls(ended_at, ended_source, ended_by, ended_reason) IN (0, 4)", name="ended_whole"),
    # Also the index by which every acceptance looks its recipient up.
    Index(
        "uq_suppression_active",
        "phone",
        "sender_key",
        "account_id",
        "source",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_suppression_created_at_id", text("created_at DESC"), text("id DESC")),
    Index("ix_suppression_phone_created_at", "phone", "created_at"),
    Index("ix_suppression_pass_due_at", "pass_due_at", postgresql_where=text("pass_due_at IS NOT NULL")),
)

inbound_message = Table(
    "inbound_message",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("carrier", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("sender_id", Text, nullable=False),
    Column("text", Text),
    Column("is_opt_out", Boolean, nullable=False),
    Column("received_at", INSTANT, nullable=False),
    Column("stored_at", INSTANT, nullable=False, server_default=NOW),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("next_try_at", INSTANT, server_default=NOW),
    Column("directive", Text),
    PrimaryKeyConstraint("id"),
    one_of("directive", Directive),
    # A text is kept no longer than it takes to read it.
    CheckConstraint("directive IS NULL OR (text IS NULL AND next_try_at IS NULL)", name="text_gone_once_worked"),
    Index("ix_inbound_message_next_try_at", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
    Index("ix_inbound_message_stored_at", "stored_at"),
)
