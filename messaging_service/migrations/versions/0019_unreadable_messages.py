"""Messages from phones that cannot be read are kept, and said to be so."""

from __future__ import annotations

from alembic import op

from service_kit.postgres.online_ddl import add_checks

revision = "0019"
down_revision = "0018"

RULE = "ck_inbound_message_directive"


def upgrade() -> None:
    """Allows one more word, which the previous release never reads, without a scan under lock."""
    _replace("'opt_out', 'opt_in', 'none', 'unreadable'")


def downgrade() -> None:
    """Takes the word back; what could not be read asked for nothing."""
    op.execute("UPDATE inbound_message SET directive = 'none' WHERE directive = 'unreadable'")
    _replace("'opt_out', 'opt_in', 'none'")


def _replace(words: str) -> None:
    add_checks("inbound_message", {RULE: f"directive IN ({words})"})
