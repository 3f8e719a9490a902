"""Limits of accounts with what is used of them, and what a booking of an operator says of itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks, build_index

revision = "0012"
down_revision = "0011"

CHECKS = {
    "ck_ledger_entry_top_up_with_reference": "kind <> 'top_up' OR (amount > 0 AND reference IS NOT NULL)",
    "ck_ledger_entry_adjustment_with_reason": (
        "kind <> 'adjustment' OR (amount <> 0 AND reason IS NOT NULL AND booked_by IS NOT NULL)"
    ),
}
MONEY = sa.Numeric(precision=18, scale=6)


def upgrade() -> None:
    """Adds columns without a rewrite, constraints without a scan under lock, and the index beside running bookings."""
    op.add_column("account", sa.Column("daily_spend_limit", MONEY, nullable=True), if_not_exists=True)
    op.add_column("account", sa.Column("minute_limit", sa.Integer(), nullable=True), if_not_exists=True)
    op.add_column("account", sa.Column("recipient_hour_limit", sa.Integer(), nullable=True), if_not_exists=True)
    op.add_column("account", sa.Column("spend_day", sa.Date(), nullable=True), if_not_exists=True)
    op.add_column("account", sa.Column("day_spent", MONEY, server_default="0", nullable=False), if_not_exists=True)
    op.add_column(
        "account", sa.Column("counted_minute", sa.TIMESTAMP(timezone=True), nullable=True), if_not_exists=True
    )
    op.add_column(
        "account", sa.Column("minute_count", sa.Integer(), server_default="0", nullable=False), if_not_exists=True
    )
    add_checks(
        "account",
        {"ck_account_limits_positive": "daily_spend_limit > 0 AND minute_limit > 0 AND recipient_hour_limit > 0"},
    )
    op.create_table(
        "recipient_hour",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("hour", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "recipient", name=op.f("pk_recipient_hour")),
        postgresql_with={"fillfactor": 70},
        if_not_exists=True,
    )
    op.add_column("ledger_entry", sa.Column("reference", sa.Text(), nullable=True), if_not_exists=True)
    op.add_column("ledger_entry", sa.Column("reason", sa.Text(), nullable=True), if_not_exists=True)
    op.add_column("ledger_entry", sa.Column("booked_by", sa.Text(), nullable=True), if_not_exists=True)
    add_checks("ledger_entry", CHECKS)
    build_index(
        "uq_ledger_entry_reference",
        "ledger_entry",
        ["account_id", "reference"],
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )


def downgrade() -> None:
    """Drops them, with who booked what and why."""
    op.drop_index("uq_ledger_entry_reference", table_name="ledger_entry")
    for name in CHECKS:
        op.drop_constraint(op.f(name), "ledger_entry", type_="check")
    op.drop_column("ledger_entry", "booked_by")
    op.drop_column("ledger_entry", "reason")
    op.drop_column("ledger_entry", "reference")
    op.drop_table("recipient_hour")
    op.drop_constraint(op.f("ck_account_limits_positive"), "account", type_="check")
    for column in (
        "minute_count",
        "counted_minute",
        "day_spent",
        "spend_day",
        "recipient_hour_limit",
        "minute_limit",
        "daily_spend_limit",
    ):
        op.drop_column("account", column)
