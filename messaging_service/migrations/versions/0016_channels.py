"""How events get to an endpoint: to a system, to a messenger, by email."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks

revision = "0016"
down_revision = "0015"

_KIND = "ck_webhook_endpoint_kind"
_KINDS = "('webhook', 'service', 'email')"


def upgrade() -> None:
    """Adds the kind; all that there are post to systems."""
    op.add_column(
        "webhook_endpoint",
        sa.Column("kind", sa.Text(), server_default="webhook", nullable=False),
        if_not_exists=True,
    )
    add_checks("webhook_endpoint", {_KIND: f"kind IN {_KINDS}"})


def downgrade() -> None:
    """Drops it, with the endpoints that are no webhooks and what was on its way to them."""
    op.execute(
        "DELETE FROM webhook_delivery d USING webhook_endpoint e WHERE e.id = d.endpoint_id AND e.kind <> 'webhook'"
    )
    op.execute("DELETE FROM webhook_endpoint WHERE kind <> 'webhook'")
    op.drop_constraint(op.f(_KIND), "webhook_endpoint", type_="check")
    op.drop_column("webhook_endpoint", "kind")
