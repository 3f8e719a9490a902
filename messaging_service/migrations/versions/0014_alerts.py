"""What accounts want to be warned of, the warnings, and their events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks

revision = "0014"
down_revision = "0013"

_INSTANT = sa.TIMESTAMP(timezone=True)
_MONEY = sa.Numeric(precision=18, scale=6)
_NOW = sa.text("now()")
_BEFORE = "'sms.sent', 'sms.delivered', 'sms.failed', 'balance.low', 'carrier.down'"
_KINDS = "('balance.low', 'sms.failing', 'outcomes.unknown', 'carrier.down', 'carrier.balance_low')"
_EVENT_TYPE = "ck_webhook_delivery_event_type"


def upgrade() -> None:
    """Creates the tables, and lets webhooks be told of the new events."""
    op.create_table(
        "alert_rule",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("threshold", _MONEY, nullable=False),
        sa.Column("margin", _MONEY, nullable=False),
        sa.Column("in_units", sa.Boolean(), nullable=False),
        sa.Column("window_s", sa.Integer(), nullable=False),
        sa.Column("least_messages", sa.Integer(), nullable=False),
        sa.Column("quiet_start", sa.SmallInteger(), nullable=True),
        sa.Column("quiet_end", sa.SmallInteger(), nullable=True),
        sa.CheckConstraint(f"kind IN {_KINDS}", name=op.f("ck_alert_rule_kind")),
        sa.CheckConstraint("threshold >= 0 AND margin >= 0", name=op.f("ck_alert_rule_amounts_not_negative")),
        sa.CheckConstraint("(quiet_start IS NULL) = (quiet_end IS NULL)", name=op.f("ck_alert_rule_quiet_whole")),
        sa.PrimaryKeyConstraint("account_id", "kind", name=op.f("pk_alert_rule")),
        if_not_exists=True,
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("threshold", _MONEY, nullable=False),
        sa.Column("raised_at", _INSTANT, server_default=_NOW, nullable=False),
        sa.Column("resolved_at", _INSTANT, nullable=True),
        sa.Column("acknowledged_at", _INSTANT, nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.CheckConstraint(f"kind IN {_KINDS}", name=op.f("ck_alert_kind")),
        sa.CheckConstraint(
            "(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name=op.f("ck_alert_acknowledged_whole")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        if_not_exists=True,
    )
    op.create_index(
        "uq_alert_open",
        "alert",
        ["account_id", "kind", "subject"],
        unique=True,
        if_not_exists=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(
        "ix_alert_account_id_raised_at_id",
        "alert",
        ["account_id", sa.literal_column("raised_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        if_not_exists=True,
    )
    add_checks(
        "webhook_delivery",
        {
            _EVENT_TYPE: f"event_type IN ({_BEFORE}, 'sms.failing', 'carrier.balance_low', 'outcomes.unknown', 'webhook.test')"
        },
    )


def downgrade() -> None:
    """Drops them, with the deliveries of events that were not there before."""
    op.execute(
        "DELETE FROM webhook_delivery WHERE event_type IN ('sms.failing', 'carrier.balance_low', 'outcomes.unknown')"
    )
    add_checks("webhook_delivery", {_EVENT_TYPE: f"event_type IN ({_BEFORE}, 'webhook.test')"})
    op.drop_table("alert")
    op.drop_table("alert_rule")
