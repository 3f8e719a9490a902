"""The references of payments in the form by which they are compared, each for one payment over all accounts."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

AT_ONCE = 10_000


def upgrade() -> None:
    """Creates the table, fills it from the payments on record, and makes what is not shared unique.

    Payments on record may share a reference, as it was compared within an account and letter by letter: the first has
    it, and the others are marked as sharing it. Bookings go on meanwhile.
    """
    op.create_table(
        "payment_reference",
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("is_shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_payment_reference")),
    )
    connection = op.get_bind()
    table = sa.table("payment_reference", sa.column("entry_id"), sa.column("key"), sa.column("is_shared"))
    after, seen = 0, set[str]()
    page = sa.text(
        "SELECT id, reference FROM ledger_entry WHERE kind = 'top_up' AND id > :after ORDER BY id LIMIT :limit"
    )
    while rows := connection.execute(page, {"after": after, "limit": AT_ONCE}).all():
        found = []
        for entry_id, reference in rows:
            key = _key(reference)
            found.append({"entry_id": entry_id, "key": key, "is_shared": key in seen})
            seen.add(key)
        connection.execute(sa.insert(table), found)
        after = rows[-1][0]
    op.create_index("ix_payment_reference_key", "payment_reference", ["key"], unique=False)
    op.create_index(
        "uq_payment_reference_key",
        "payment_reference",
        ["key"],
        unique=True,
        postgresql_where=sa.text("NOT is_shared"),
    )


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("payment_reference")


def _key(reference: str) -> str:
    """As references were compared when this migration was made."""
    known = unicodedata.normalize("NFKC", reference).casefold().strip()
    return "".join(character for character in known if character.isalnum()) or known
