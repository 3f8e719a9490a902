"""What outcomes need: validity, the next try, automatic resends, refunds, and the carrier's own error."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BILLING_OF_STATE = (
    "(state NOT IN ('scheduled', 'ready', 'submitting', 'unknown') OR billing IN ('held'))"
    " AND (state NOT IN ('accepted', 'delivered', 'undelivered') OR billing IN ('charged', 'refunded'))"
    " AND (state NOT IN ('refused', 'expired', 'cancelled') OR billing IN ('released'))"
)


def upgrade() -> None:
    """Adds columns without rewriting a table, and checks all rows once, while the outbox takes none."""
    op.add_column("account", sa.Column("resend_unknown", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("message", sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("message", sa.Column("carrier_error_code", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_message_billing_of_state"), "message", _BILLING_OF_STATE)
    op.add_column("message_event", sa.Column("next_try_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("message_event", sa.Column("carrier_error_code", sa.Text(), nullable=True))
    op.add_column("dispatch", sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("dispatch", sa.Column("resend_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("dispatch", sa.Column("resent", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_check_constraint(
        op.f("ck_dispatch_resend_once_while_unknown"),
        "dispatch",
        "resend_at IS NULL OR (state = 'unknown' AND NOT resent)",
    )
    op.create_index(
        "ix_dispatch_expires_at",
        "dispatch",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'ready' AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_dispatch_resend_at",
        "dispatch",
        ["resend_at"],
        unique=False,
        postgresql_where=sa.text("resend_at IS NOT NULL"),
    )
    op.create_check_constraint(
        op.f("ck_ledger_entry_refund_of_a_message"),
        "ledger_entry",
        "kind <> 'refund' OR (amount >= 0 AND message_id IS NOT NULL)",
    )
    op.create_index(
        "ix_receipt_orphans",
        "receipt",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("message_id IS NULL AND next_try_at IS NULL"),
    )


def downgrade() -> None:
    """Drops the columns with what they hold."""
    op.drop_index("ix_receipt_orphans", table_name="receipt")
    op.drop_constraint(op.f("ck_ledger_entry_refund_of_a_message"), "ledger_entry")
    op.drop_index("ix_dispatch_resend_at", table_name="dispatch")
    op.drop_index("ix_dispatch_expires_at", table_name="dispatch")
    op.drop_constraint(op.f("ck_dispatch_resend_once_while_unknown"), "dispatch")
    for column in ("resent", "resend_at", "expires_at"):
        op.drop_column("dispatch", column)
    op.drop_column("message_event", "carrier_error_code")
    op.drop_column("message_event", "next_try_at")
    op.drop_constraint(op.f("ck_message_billing_of_state"), "message")
    op.drop_column("message", "carrier_error_code")
    op.drop_column("message", "expires_at")
    op.drop_column("account", "resend_unknown")
