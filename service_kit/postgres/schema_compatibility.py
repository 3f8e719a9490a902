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

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

_PREFIX = "oldest code: "


def oldest_code(script: ScriptDirectory, revision: str) -> str:
    """The oldest revision whose code may run on the schema of `revision`."""
    step = script.get_revision(revision)
    while not hasattr(step.module, "oldest_code"):
        if not isinstance(step.down_revision, str):
            return step.revision
        step = script.get_revision(step.down_revision)
    return str(step.module.oldest_code)


def record(connection: Connection, script: ScriptDirectory, revision: str) -> None:
    """Writes into the database which code may run on its schema, which is at `revision` now."""
    wanted = _PREFIX + oldest_code(script, revision)
    found = connection.execute(text("SELECT obj_description('alembic_version'::regclass, 'pg_class')")).scalar()
    if found != wanted:
        # A comment takes no parameters; revisions are ours.
        connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{wanted}'"))


def refusal(comment: str | None, revision: str, needed: str, known: Collection[str]) -> str | None:
    """Why code may not run on a schema of a revision that it does not know; None when it may.

    `comment`: that of the database, None without one. `needed`: the revision of the code, `known`: those that it
    brings.
    """
    if comment is None or not comment.startswith(_PREFIX):
        # Before there was a record, every schema was for the releases before it.
        return None
    oldest = comment.removeprefix(_PREFIX)
    if oldest in known:
        return None
    return (
        f"the database is at migration {revision}, which is for code of migration {oldest} or newer, and this is code "
        f"of {needed}: run a newer release"
    )
