"""What outcomes need: validity, the next try, automatic resends, refunds, and the carrier's own error."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks, build_index

revision = "0007"
down_revision = "0006"

_BILLING_OF_STATE = (
    "(state NOT IN ('scheduled', 'ready', 'submitting', 'unknown') OR billing IN ('held'))"
    " AND (state NOT IN ('accepted', 'delivered', 'undelivered') OR billing IN ('charged', 'refunded'))"
    " AND (state NOT IN ('refused', 'expired', 'cancelled') OR billing IN ('released'))"
)


_COLUMNS: dict[str, list[tuple[str, Any, Any]]] = {
    "account": [("resend_unknown", sa.Boolean(), sa.text("false"))],
    "message": [("expires_at", sa.TIMESTAMP(timezone=True), None), ("carrier_error_code", sa.Text(), None)],
    "message_event": [("next_try_at", sa.TIMESTAMP(timezone=True), None), ("carrier_error_code", sa.Text(), None)],
    "dispatch": [
        ("expires_at", sa.TIMESTAMP(timezone=True), None),
        ("resend_at", sa.TIMESTAMP(timezone=True), None),
        ("resent", sa.Boolean(), sa.text("false")),
    ],
}
"""New columns of each table: name, type, and the value of rows that do not say; those with one are never NULL."""


def upgrade() -> None:
    """Adds columns without a rewrite, constraints without a scan under lock, and indexes beside running sends."""
    for table, columns in _COLUMNS.items():
        for name, kind, default in columns:
            column: sa.Column[Any] = sa.Column(name, kind, server_default=default, nullable=default is None)
            op.add_column(table, column, if_not_exists=True)
    add_checks("message", {"ck_message_billing_of_state": _BILLING_OF_STATE})
    add_checks(
        "dispatch",
        {"ck_dispatch_resend_once_while_unknown": "resend_at IS NULL OR (state = 'unknown' AND NOT resent)"},
    )
    build_index(
        "ix_dispatch_expires_at",
        "dispatch",
        ["expires_at"],
        postgresql_where=sa.text("state = 'ready' AND expires_at IS NOT NULL"),
    )
    build_index("ix_dispatch_resend_at", "dispatch", ["resend_at"], postgresql_where=sa.text("resend_at IS NOT NULL"))
    add_checks(
        "ledger_entry",
        {"ck_ledger_entry_refund_of_a_message": "kind <> 'refund' OR (amount >= 0 AND message_id IS NOT NULL)"},
    )
    build_index(
        "ix_receipt_orphans",
        "receipt",
        ["received_at"],
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
