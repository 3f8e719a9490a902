"""The price book: recorded prices and the counter that orders them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates both tables and the one row of the counter."""
    op.create_table(
        "cost",
        sa.Column("cost_id", sa.Text, nullable=False, comment="cost_ and 32 hexadecimal digits of a UUIDv7"),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False, comment="customer or app; empty for the levels without one"),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, comment="1, 2, ... per level, entity and effective_from"),
        sa.Column("price", sa.Numeric(18, 6), nullable=False, comment="KES for one SMS unit"),
        sa.Column("reason", sa.Text, nullable=True, comment="NULL when none was given"),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="clock of this server"),
        sa.Column("epoch", sa.BigInteger, nullable=False, comment="value of price_epoch that recorded this row"),
        sa.PrimaryKeyConstraint("cost_id", name="pk_cost"),
        sa.UniqueConstraint("level", "entity", "effective_from", "revision", name="uq_cost_revision"),
        sa.UniqueConstraint("epoch", name="uq_cost_epoch"),
        sa.CheckConstraint(
            "level IN ('TukuPay', 'AppOwner', 'SpecificCustomer', 'DirectCustomer')", name="ck_cost_level"
        ),
        sa.CheckConstraint(
            "(entity <> '') = (level IN ('AppOwner', 'SpecificCustomer'))", name="ck_cost_entity_fits_level"
        ),
        sa.CheckConstraint("price > 0", name="ck_cost_price_above_zero"),
        sa.CheckConstraint("revision >= 1", name="ck_cost_revision_from_one"),
        comment="Every price ever recorded; rows are never changed or deleted",
    )
    op.create_table(
        "price_epoch",
        sa.Column("id", sa.SmallInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False, comment="how many rows of cost were ever recorded"),
        sa.PrimaryKeyConstraint("id", name="pk_price_epoch"),
        sa.CheckConstraint("id = 1", name="ck_price_epoch_single_row"),
        comment="One row; its lock makes writers of cost take turns",
    )
    op.execute("INSERT INTO price_epoch (id, epoch) VALUES (1, 0)")


def downgrade() -> None:
    """Drops both tables with all prices in them."""
    op.drop_table("price_epoch")
    op.drop_table("cost")
