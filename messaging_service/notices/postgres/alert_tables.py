"""When accounts want to be warned, and what they were warned of."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.shared.postgres.columns import INSTANT, MONEY, NOW, metadata, one_of

alert_rule = Table(
    "alert_rule",
    metadata,
    # No foreign key: rules may be set before the account sends for the first time.
    Column("account_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("threshold", MONEY, nullable=False),
    Column("margin", MONEY, nullable=False),
    Column("in_units", Boolean, nullable=False),
    Column("window_s", Integer, nullable=False),
    Column("least_messages", Integer, nullable=False),
    Column("quiet_start", SmallInteger),
    Column("quiet_end", SmallInteger),
    PrimaryKeyConstraint("account_id", "kind"),
    one_of("kind", AlertKind),
    CheckConstraint("threshold >= 0 AND margin >= 0", name="amounts_not_negative"),
    CheckConstraint("(quiet_start IS NULL) = (quiet_end IS NULL)", name="quiet_whole"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("value", Numeric, nullable=False),
    Column("threshold", MONEY, nullable=False),
    Column("raised_at", INSTANT, nullable=False, server_default=NOW),
    Column("resolved_at", INSTANT),
    Column("acknowledged_at", INSTANT),
    Column("acknowledged_by", Text),
    PrimaryKeyConstraint("id"),
    one_of("kind", AlertKind),
    CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="acknowledged_whole"),
    # A crossing raises one alert, however many processes see it and however often.
    Index("uq_alert_open", "account_id", "kind", "subject", unique=True, postgresql_where=text("resolved_at IS NULL")),
    Index("ix_alert_resolved_at", "resolved_at", postgresql_where=text("resolved_at IS NOT NULL")),
    Index("ix_alert_account_id_raised_at_id", "account_id", text("raised_at DESC"), text("id DESC")),
)
