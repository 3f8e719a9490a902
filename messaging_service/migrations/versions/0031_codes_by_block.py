"""One-time codes of a phone are counted beside the numbers of its block."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Adds the column, without a rewrite."""
    op.add_column(
        "number_block", sa.Column("codes", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False)
    )


def downgrade() -> None:
    """Drops it, with what was counted in the last minutes."""
    op.drop_column("number_block", "codes")
