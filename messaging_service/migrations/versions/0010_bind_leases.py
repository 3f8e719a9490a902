"""Leases by which replicas share the binds of a carrier account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "bind_lease",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(owner IS NULL) = (lease_until IS NULL)", name=op.f("ck_bind_lease_owned_until")),
        sa.PrimaryKeyConstraint("carrier", "number", name=op.f("pk_bind_lease")),
    )
    op.create_table(
        "bind_seeker",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("carrier", "owner", name=op.f("pk_bind_seeker")),
    )


def downgrade() -> None:
    """Drops the tables."""
    op.drop_table("bind_seeker")
    op.drop_table("bind_lease")
