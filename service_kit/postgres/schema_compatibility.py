"""Which releases may run on a schema: recorded in the database, beside its revision.

Code needs the newest revision that it brings, its own. On an older schema it waits; on a newer one, whose revision it
has never heard of, it runs unless the record says that the schema is no longer for it. So a migration that old code
cannot live with (one that drops or renames what a release reads) says in its module

    oldest_code = "0031"

the oldest revision whose code may run from then on. Without that line the migration before it decides. The record is
the comment of the table `alembic_version`: it changes in the transaction of the migration, every role can read it, and
dumps keep it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

PREFIX: Final = "oldest code: "
"""Of the comment, before the revision."""


def refusal(comment: str | None, revision: str, needed: str, known: Collection[str]) -> str | None:
    """Why code may not run on a schema of a revision that it does not know; None when it may.

    `comment`: that of the database, None without one. `needed`: the revision of the code, `known`: those that it
    brings.
    """
    if comment is None or not comment.startswith(PREFIX):
        # Before there was a record, every schema was for the releases before it.
        return None
    oldest = comment.removeprefix(PREFIX)
    if oldest in known:
        return None
    return (
        f"the database is at migration {revision}, which is for code of migration {oldest} or newer, and this is code "
        f"of {needed}: run a newer release"
    )
