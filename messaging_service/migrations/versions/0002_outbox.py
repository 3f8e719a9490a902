"""The outbox with its queue, events, parts and idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("client_message_id", sa.Text(), nullable=False),
        sa.Column("app_id", sa.Text(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("message_name", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("units", sa.SmallInteger(), nullable=False),
        sa.Column("price_cost_id", sa.Text(), nullable=False),
        sa.Column("price_level", sa.Text(), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("total", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("billing", sa.Text(), nullable=False),
        sa.Column("retry_count", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("scheduled_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("sent_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_attempt_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("custom_data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("billing IN ('held', 'charged', 'released', 'refunded')", name=op.f("ck_message_billing")),
        sa.CheckConstraint("encoding IN ('gsm7', 'ucs2')", name=op.f("ck_message_encoding")),
        sa.CheckConstraint(
            "price_level IN ('tukupay', 'app_owner', 'specific_customer', 'direct_customer')",
            name=op.f("ck_message_price_level"),
        ),
        sa.CheckConstraint("priority IN ('normal', 'high')", name=op.f("ck_message_priority")),
        sa.CheckConstraint(
            "state IN ('scheduled', 'ready', 'submitting', 'accepted', 'delivered', 'refused', 'undelivered', 'unknown', 'expired', 'cancelled')",
            name=op.f("ck_message_state"),
        ),
        sa.CheckConstraint("total = units * unit_price", name=op.f("ck_message_total_exact")),
        sa.CheckConstraint("units > 0", name=op.f("ck_message_units_positive")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_message_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        postgresql_with={"fillfactor": 60},
    )
    op.create_index(
        "ix_message_account_id_created_at_id",
        "message",
        ["account_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_message_tags",
        "message",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("tags <> '{}'"),
    )
    op.create_table(
        "dispatch",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("queued_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'submitting') = (lease_until IS NOT NULL)", name=op.f("ck_dispatch_lease_while_submitting")
        ),
        sa.CheckConstraint(
            "(state = 'unknown') = (recipient IS NOT NULL)", name=op.f("ck_dispatch_recipient_while_unknown")
        ),
        sa.CheckConstraint("state IN ('ready', 'submitting', 'unknown')", name=op.f("ck_dispatch_state")),
        sa.CheckConstraint("lane IN (0, 1)", name=op.f("ck_dispatch_lane")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_dispatch_message_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_dispatch")),
        postgresql_with={
            "fillfactor": 50,
            "autovacuum_vacuum_scale_factor": 0.0,
            "autovacuum_vacuum_threshold": 2000,
            "autovacuum_vacuum_cost_delay": 0,
        },
    )
    op.create_index(
        "ix_dispatch_queued", "dispatch", ["queued_at"], unique=False, postgresql_where=sa.text("state = 'ready'")
    )
    op.create_index(
        "ix_dispatch_ready",
        "dispatch",
        ["lane", "due_at", "message_id"],
        unique=False,
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "ix_dispatch_submitting",
        "dispatch",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'submitting'"),
    )
    op.create_index(
        "ix_dispatch_unknown", "dispatch", ["due_at"], unique=False, postgresql_where=sa.text("state = 'unknown'")
    )
    op.create_index(
        "ix_dispatch_unknown_recipient",
        "dispatch",
        ["recipient"],
        unique=False,
        postgresql_where=sa.text("state = 'unknown'"),
    )
    op.create_table(
        "message_event",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_id", "id", name=op.f("pk_message_event")),
    )
    op.create_table(
        "message_part",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("carrier_message_id", sa.Text(), nullable=False),
        sa.Column("canonical_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="accepted", nullable=False),
        sa.CheckConstraint(
            "state IN ('enroute', 'delivered', 'expired', 'deleted', 'undeliverable', 'accepted', 'unknown', 'rejected')",
            name=op.f("ck_message_part_state"),
        ),
        sa.PrimaryKeyConstraint("message_id", "attempt", "part", name=op.f("pk_message_part")),
        postgresql_with={"fillfactor": 85},
    )
    op.create_index("ix_message_part_carrier_canonical_id", "message_part", ["carrier", "canonical_id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_idempotency")),
    )


def downgrade() -> None:
    """Drops the tables with all that they hold."""
    op.drop_table("idempotency")
    op.drop_table("message_part")
    op.drop_table("message_event")
    op.drop_table("dispatch")
    op.drop_table("message")
