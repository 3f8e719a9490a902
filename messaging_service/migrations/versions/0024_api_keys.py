"""API keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("accounts", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("app_id", sa.Text(), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("networks", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("messages_per_minute", sa.Integer(), nullable=True),
        sa.Column("daily_spend", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("last_used_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.Column("replaced_by", sa.Text(), nullable=True),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("ck_api_key_mode")),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_api_key_sha256_whole")),
        sa.CheckConstraint("starts_with(id, 'tk_' || mode || '_')", name=op.f("ck_api_key_id_says_mode")),
        sa.CheckConstraint(
            "cardinality(accounts) > 0 AND cardinality(scopes) > 0", name=op.f("ck_api_key_terms_not_empty")
        ),
        sa.CheckConstraint("messages_per_minute > 0 AND daily_spend > 0", name=op.f("ck_api_key_limits_positive")),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_api_key_revoked_whole")),
        sa.ForeignKeyConstraint(["replaced_by"], ["api_key.id"], name=op.f("fk_api_key_replaced_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        postgresql_with={"fillfactor": 80},
    )
    op.execute("ALTER TABLE api_key ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id()")
    op.create_index("ix_api_key_created_at_id", "api_key", [sa.text("created_at DESC"), sa.text("id DESC")])
    op.create_index("ix_api_key_accounts", "api_key", ["accounts"], postgresql_using="gin")
    op.create_index("ix_api_key_changed_in", "api_key", ["changed_in"])
    op.create_index(
        "ix_api_key_replaced_by", "api_key", ["replaced_by"], postgresql_where=sa.text("replaced_by IS NOT NULL")
    )


def downgrade() -> None:
    """Drops the table; every key is lost with it."""
    op.drop_table("api_key")
