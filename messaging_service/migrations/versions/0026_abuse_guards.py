"""Limits of accounts against abuse, and what is counted for them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from service_kit.postgres.online_ddl import add_checks

revision = "0026"
down_revision = "0025"

_INSTANT = sa.TIMESTAMP(timezone=True)
_COLUMNS: dict[str, Any] = {
    "recipient_window_limit": sa.Integer(),
    "otp_window_limit": sa.Integer(),
    "destinations": postgresql.ARRAY(sa.Text()),
    "pumping": sa.Text(),
}
_CHECKS = {
    "ck_account_windows_positive": "recipient_window_limit > 0 AND otp_window_limit > 0",
    "ck_account_destinations_not_empty": "destinations <> '{}'",
    "ck_account_pumping": "pumping IN ('off', 'alert', 'block')",
}


def upgrade() -> None:
    """Creates the tables, and adds columns without a rewrite and constraints without a scan under lock."""
    op.create_table(
        "recipient_window",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("counted", sa.Text(), nullable=False),
        sa.Column("sent_us", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.CheckConstraint("counted IN ('all', 'otps')", name=op.f("ck_recipient_window_counted")),
        sa.PrimaryKeyConstraint("account_id", "recipient", "counted", name=op.f("pk_recipient_window")),
        postgresql_with={"fillfactor": 70},
        if_not_exists=True,
    )
    op.create_table(
        "number_block",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("seen", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.Column("suspected_at", _INSTANT, nullable=True),
        sa.Column("numbers", sa.Integer(), nullable=True),
        sa.Column("longest_run", sa.Integer(), nullable=True),
        sa.Column("usual", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "block", name=op.f("pk_number_block")),
        postgresql_with={"fillfactor": 70},
        if_not_exists=True,
    )
    op.create_index(
        "ix_number_block_suspected_at",
        "number_block",
        ["suspected_at"],
        unique=False,
        if_not_exists=True,
        postgresql_where=sa.text("suspected_at IS NOT NULL"),
    )
    counts = ("sent", "refused", "verified", "not_verified")
    op.create_table(
        "number_block_hour",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("hour", _INSTANT, nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in counts),
        sa.CheckConstraint(
            " AND ".join(f"{name} >= 0" for name in counts), name=op.f("ck_number_block_hour_counts_not_negative")
        ),
        sa.PrimaryKeyConstraint("account_id", "block", "hour", name=op.f("pk_number_block_hour")),
        postgresql_with={"fillfactor": 70},
        if_not_exists=True,
    )
    op.create_index("ix_number_block_hour_hour", "number_block_hour", ["hour"], unique=False, if_not_exists=True)
    op.create_table(
        "message_feedback",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("given_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("outcome IN ('verified', 'not_verified')", name=op.f("ck_message_feedback_outcome")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_feedback")),
        if_not_exists=True,
    )
    op.create_index("ix_message_feedback_given_at", "message_feedback", ["given_at"], unique=False, if_not_exists=True)
    for name, kind in _COLUMNS.items():
        op.add_column("account", sa.Column(name, kind, nullable=True), if_not_exists=True)
    add_checks("account", _CHECKS)


def downgrade() -> None:
    """Drops them, with what was set and counted."""
    for name in _CHECKS:
        op.drop_constraint(op.f(name), "account", type_="check")
    for name in _COLUMNS:
        op.drop_column("account", name)
    for table in ("message_feedback", "number_block_hour", "number_block", "recipient_window"):
        op.drop_table(table)
