"""How far corrections took prepaid accounts below their limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks

revision = "0021"
down_revision = "0020"

RULE = "ck_account_prepaid_within_limit"


def upgrade() -> None:
    """Adds the column without a rewrite, and lets the balance fall by so much, without a scan under lock."""
    op.add_column(
        "account",
        sa.Column("overdrawn", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        if_not_exists=True,
    )
    add_checks("account", {"ck_account_overdrawn_not_negative": "overdrawn >= 0"})
    _replace("mode <> 'prepaid' OR posted - held >= -(credit_limit + overdrawn)")


def downgrade() -> None:
    """Drops it; an account that is below its limit becomes one with as much credit."""
    op.execute("UPDATE account SET credit_limit = credit_limit + overdrawn WHERE mode = 'prepaid' AND overdrawn > 0")
    _replace("mode <> 'prepaid' OR posted - held >= -credit_limit")
    op.drop_column("account", "overdrawn")


def _replace(rule: str) -> None:
    add_checks("account", {RULE: rule})
