"""Writes into a database which releases may run on its schema; schema_compatibility.py says what the record means."""

from __future__ import annotations

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from service_kit.postgres.schema_compatibility import PREFIX


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
    wanted = PREFIX + oldest_code(script, revision)
    found = connection.execute(text("SELECT obj_description('alembic_version'::regclass, 'pg_class')")).scalar()
    if found != wanted:
        # A comment takes no parameters; revisions are ours.
        connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{wanted}'"))
