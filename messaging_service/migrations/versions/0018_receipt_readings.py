"""What a receipt may mean besides the part that has its id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Adds columns without a rewrite; the previous release writes and reads none of them."""
    op.add_column(
        "receipt",
        sa.Column("other_id", sa.Text(), nullable=True, comment="canonical form of a second reading of the id"),
    )
    op.add_column("receipt", sa.Column("known_parts", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("receipt", sa.Column("phone_alone", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("receipt", sa.Column("failure_code", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drops the columns."""
    for name in ("failure_code", "phone_alone", "known_parts", "other_id"):
        op.drop_column("receipt", name)
