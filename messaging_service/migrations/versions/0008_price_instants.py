"""What each price is the price of, and what was known when it was found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds two columns that nobody has to fill: rows from before have none, and replicas from before give none."""
    op.add_column(
        "message",
        sa.Column(
            "priced_at",
            sa.TIMESTAMP(timezone=True),
            comment="what the unit price is the price of, on the price book's clock",
        ),
    )
    op.add_column(
        "message",
        sa.Column(
            "price_known_at",
            sa.TIMESTAMP(timezone=True),
            comment="newest change that the price book had when it was asked, on its clock",
        ),
    )


def downgrade() -> None:
    """Drops them; what they said cannot be had again."""
    op.drop_column("message", "price_known_at")
    op.drop_column("message", "priced_at")
