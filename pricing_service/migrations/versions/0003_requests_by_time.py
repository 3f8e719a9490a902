"""Idempotency keys by their time, so that old ones are found."""

from alembic import op

from service_kit.postgres.online_ddl import build_index

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BEFORE = "What requests with an idempotency key came to"
_COMMENT = f"{_BEFORE}; forgotten after a while"


def upgrade() -> None:
    """Creates the index beside running changes."""
    build_index("ix_price_request_recorded_at", "price_request", ["recorded_at"])
    op.create_table_comment("price_request", _COMMENT, existing_comment=_BEFORE)


def downgrade() -> None:
    """Drops the index."""
    op.create_table_comment("price_request", _BEFORE, existing_comment=_COMMENT)
    op.drop_index("ix_price_request_recorded_at", "price_request")
