"""Withdrawals, overridden guards, free prices, and requests that may be repeated."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_FEW = "the price book has a few thousand rows at most and is written by operators, so a scan takes milliseconds"
BLOCKS = {
    "CREATE UNIQUE INDEX uq_cost_withdrawn_epoch": _FEW,
    "ALTER TABLE cost ADD CONSTRAINT": _FEW,
    "UPDATE price_epoch": "it has one row",
}


def upgrade() -> None:
    """Adds what older replicas can live without: they go on while the new ones are rolled out."""
    op.add_column(
        "cost",
        sa.Column(
            "overridden_guards",
            ARRAY(sa.Text),
            nullable=False,
            server_default=sa.text("'{}'::text[]"),
            comment="names of the guards that found the row unusual",
        ),
    )
    op.add_column(
        "cost",
        sa.Column(
            "withdrawn_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="clock of this server; NULL when not withdrawn",
        ),
    )
    op.add_column("cost", sa.Column("withdrawn_by", sa.Text, nullable=True))
    op.add_column("cost", sa.Column("withdrawn_reason", sa.Text, nullable=True))
    op.add_column(
        "cost",
        sa.Column(
            "withdrawn_epoch",
            sa.BigInteger,
            nullable=True,
            comment="value of price_epoch that recorded the withdrawal",
        ),
    )
    op.create_index(
        "uq_cost_withdrawn_epoch",
        "cost",
        ["withdrawn_epoch"],
        unique=True,
        postgresql_where=sa.text("withdrawn_epoch IS NOT NULL"),
    )
    op.create_check_constraint(
        "ck_cost_withdrawal_whole",
        "cost",
        "num_nulls(withdrawn_at, withdrawn_by, withdrawn_reason, withdrawn_epoch) IN (0, 4)",
    )
    op.create_check_constraint("ck_cost_withdrawn_before_effect", "cost", "withdrawn_at < effective_from")
    op.drop_constraint("ck_cost_price_above_zero", "cost")
    op.create_check_constraint("ck_cost_price_not_negative", "cost", "price >= 0")
    op.create_table_comment(
        "cost",
        "Every price ever recorded; never deleted, and changed only by a withdrawal before it takes effect",
        existing_comment="Every price ever recorded; rows are never changed or deleted",
    )
    op.add_column(
        "price_epoch",
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("'-infinity'::timestamptz"),
            comment="instant of the newest change; each change is later than the one before",
        ),
    )
    op.execute("UPDATE price_epoch SET changed_at = coalesce((SELECT max(recorded_at) FROM cost), '-infinity')")
    op.alter_column(
        "price_epoch",
        "epoch",
        comment="how many changes were recorded: new rows and withdrawals",
        existing_comment="how many rows of cost were ever recorded",
    )
    op.create_table(
        "price_request",
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False, comment="SHA-256 of the request"),
        sa.Column(
            "cost_ids",
            ARRAY(sa.Text),
            nullable=False,
            comment="rows that it made, in its order; NULL elements changed nothing",
        ),
        sa.Column(
            "previous_prices",
            ARRAY(sa.Numeric(18, 6)),
            nullable=False,
            comment="prices in effect before it; NULL elements had none",
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="clock of this server"),
        sa.PrimaryKeyConstraint("idempotency_key", name="pk_price_request"),
        comment="What requests with an idempotency key came to",
    )


def downgrade() -> None:
    """Goes back, without the withdrawals and the remembered requests; refuses while free prices are on record."""
    op.drop_table("price_request")
    op.alter_column(
        "price_epoch",
        "epoch",
        comment="how many rows of cost were ever recorded",
        existing_comment="how many changes were recorded: new rows and withdrawals",
    )
    op.drop_column("price_epoch", "changed_at")
    op.create_table_comment("cost", "Every price ever recorded; rows are never changed or deleted")
    op.drop_constraint("ck_cost_price_not_negative", "cost")
    op.create_check_constraint("ck_cost_price_above_zero", "cost", "price > 0")
    op.drop_constraint("ck_cost_withdrawn_before_effect", "cost")
    op.drop_constraint("ck_cost_withdrawal_whole", "cost")
    op.drop_index("uq_cost_withdrawn_epoch", "cost")
    for column in ("withdrawn_epoch", "withdrawn_reason", "withdrawn_by", "withdrawn_at", "overridden_guards"):
        op.drop_column("cost", column)
