"""What the tables have in common: where they are collected, how constraints are named, and types of columns."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import TIMESTAMP, CheckConstraint, MetaData, Numeric, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

from messaging_service.shared.postgres.sql_words import quoted

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class TransactionId(UserDefinedType[str]):
    """The 64-bit number of a transaction, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        """Its name in PostgreSQL."""
        return "xid8"


# SQLAlchemy has no name for it, and would warn whenever it meets the column in a database.
ischema_names["xid8"] = TransactionId

INSTANT = TIMESTAMP(timezone=True)
MONEY = Numeric(18, 6)
NOW = text("now()")


def one_of(column: str, words: Iterable[StrEnum]) -> CheckConstraint:
    """That a column holds one of the words, or NULL."""
    return CheckConstraint(f"{column} IN ({quoted(words)})", name=column)
