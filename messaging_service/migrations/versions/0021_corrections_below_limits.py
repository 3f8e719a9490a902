"""How far corrections took prepaid accounts below their limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

RULE = "ck_account_prepaid_within_limit"


def upgrade() -> None:
    """Adds the column without a rewrite, and lets the balance fall by so much, without a scan under lock."""
    op.add_column(
        "account",
        sa.Column("overdrawn", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
    )
    op.execute("ALTER TABLE account ADD CONSTRAINT ck_account_overdrawn_not_negative CHECK (overdrawn >= 0) NOT VALID")
    _replace("mode <> 'prepaid' OR posted - held >= -(credit_limit + overdrawn)")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE account VALIDATE CONSTRAINT ck_account_overdrawn_not_negative")


def downgrade() -> None:
    """Drops it; an account that is below its limit becomes one with as much credit."""
    op.execute("UPDATE account SET credit_limit = credit_limit + overdrawn WHERE mode = 'prepaid' AND overdrawn > 0")
    _replace("mode <> 'prepaid' OR posted - held >= -credit_limit")
    op.drop_column("account", "overdrawn")


def _replace(rule: str) -> None:
    op.execute(f"ALTER TABLE account DROP CONSTRAINT {RULE}, ADD CONSTRAINT {RULE} CHECK ({rule}) NOT VALID")
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE account VALIDATE CONSTRAINT {RULE}")
