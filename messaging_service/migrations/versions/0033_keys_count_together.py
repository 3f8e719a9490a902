"""Keys that replaced one another count together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Adds the column; keys that were replaced before go on with counts of their own."""
    op.add_column("api_key", sa.Column("counted_as", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drops it: each key counts for itself again."""
    op.drop_column("api_key", "counted_as")
