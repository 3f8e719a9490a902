"""Keeps a statement to the rows of accounts that its caller may act for.

The condition stands in the statement that reads or changes the row, so that a foreign row and one that does not exist
are the same: no row, after the same look-up.
"""

from __future__ import annotations

from service_kit.access.principal import Accounts


def of_callers(column: str) -> str:
    """The condition on a column with the account of a row; it needs the parameter of `tenants`."""
    return f"(%(tenants)s::text[] IS NULL OR {column} = ANY(%(tenants)s))"


def tenants(accounts: Accounts) -> dict[str, list[str] | None]:
    """The parameter of `of_callers`: NULL for a caller of all accounts, who pays for no comparison."""
    return {"tenants": None if accounts is None else list(accounts)}
