"""Turns a table with a UUID of version 7 in its key into one that has a partition for each month, beside traffic.

What the table holds becomes the first partition as it is, so no row moves. The steps, each of which may be repeated:

1. A check says that all ids lie before a month, some weeks ahead. New rows are checked at once.
2. The check is validated: reads and writes pass.
3. In one transaction the table is renamed, a partitioned one takes its name, with its rights, and the old one is
   attached. The check spares the scan, indexes are adopted, and all that changes is the catalogue.

Tables that foreign keys lead to are locked first in step 3, as those do who write. A send holds the row of its account
and then waits for the table, and others that hold the table wait for that row: whoever asked for the table alone would
stand between them, and give way again and again.

Steps 1 and 3 hold the table for milliseconds once they have it. They wait for it for LOCK_WAIT_S at most, and try again
later: whoever comes behind them waits as long, and no longer.
"""

from __future__ import annotations

import random
import time
from datetime import datetime
from typing import Any, Final

import psycopg
from alembic import op
from sqlalchemy import CursorResult
from sqlalchemy.exc import OperationalError

from service_kit.postgres.online_ddl import beside_traffic

LOCK_WAIT_S: Final = 0.3
"""Less than PostgreSQL's `deadlock_timeout`: where two wait for each other it is the migration that gives way."""
TRIES: Final = 300
_LONGEST_PAUSE_S: Final = 0.4
_GIVEN_WAY: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
_AHEAD: Final = "45 days"
"""The month that the first partition ends with begins at least this far ahead: so long a migration that was broken off
may wait for its repetition."""

_IS_PARTITIONED: Final = "SELECT relkind = 'p' FROM pg_class WHERE oid = '{table}'::regclass"
# Of a run that was broken off: kept unless its month is near.
_CHECK: Final = """
    SELECT convalidated, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = '{table}'::regclass AND conname = 'ck_{table}_month'
"""
_MONTH: Final = """
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC' + interval '{ahead}' + interval '1 month') AT TIME ZONE 'UTC'
"""

_SWAP: Final = """
DO $swap$
DECLARE
    old name := '{old}';
    later text[] := '{{}}';
    numbers name;
    counted int8;
    called bool;
    owner name;
    found record;
BEGIN
    FOR found IN
        SELECT DISTINCT confrelid::regclass AS referenced FROM pg_constraint
        WHERE conrelid = '{table}'::regclass AND contype = 'f'
    LOOP
        EXECUTE format('LOCK TABLE %s IN EXCLUSIVE MODE', found.referenced);
    END LOOP;
    LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = '{table}'::regclass;

    FOR found IN
        SELECT i.relname, c.conname, pg_get_indexdef(i.oid) AS definition, pg_get_constraintdef(c.oid) AS rule
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
            LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.conrelid = x.indrelid AND c.contype IN ('p', 'u')
        WHERE x.indrelid = '{table}'::regclass
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', found.relname, left(found.relname, 56) || '_before');
        later := later || CASE WHEN found.conname IS NULL THEN found.definition
            ELSE format('ALTER TABLE {table} ADD CONSTRAINT %I %s', found.conname, found.rule) END;
    END LOOP;
    FOR found IN
        SELECT conname, pg_get_constraintdef(oid) AS rule FROM pg_constraint
        WHERE conrelid = '{table}'::regclass AND contype = 'f'
    LOOP
        later := later || format('ALTER TABLE {table} ADD CONSTRAINT %I %s', found.conname, found.rule);
    END LOOP;

    SELECT a.attname INTO numbers FROM pg_attribute a
    WHERE a.attrelid = '{table}'::regclass AND a.attidentity <> '' AND NOT a.attisdropped;
    ALTER TABLE {table} RENAME TO {old};
    IF numbers IS NOT NULL THEN
        EXECUTE format('SELECT last_value, is_called FROM %s', pg_get_serial_sequence(old, numbers))
            INTO counted, called;
        FOR found IN
            SELECT grantee, privilege_type FROM pg_class, aclexplode(relacl)
            WHERE oid = pg_get_serial_sequence(old, numbers)::regclass AND grantee <> relowner
        LOOP
            later := later || format('GRANT %s ON SEQUENCE %I TO %s', found.privilege_type,
                '{table}_' || numbers || '_seq',
                CASE found.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(found.grantee)) END);
        END LOOP;
        EXECUTE format('ALTER TABLE %I ALTER %I DROP IDENTITY', old, numbers);
    END IF;

    CREATE TABLE {table} (
        LIKE {old} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS INCLUDING STORAGE
    ) PARTITION BY RANGE ({key});
    ALTER TABLE {table} DROP CONSTRAINT ck_{table}_month;
    EXECUTE format('ALTER TABLE {table} OWNER TO %I', owner);
    IF numbers IS NOT NULL THEN
        EXECUTE format('ALTER TABLE {table} ALTER %I ADD GENERATED ALWAYS AS IDENTITY', numbers);
        PERFORM setval('{table}_' || numbers || '_seq', counted, called);
    END IF;

    FOR found IN
        SELECT grantee, privilege_type FROM pg_class, aclexplode(relacl)
        WHERE oid = old::regclass AND grantee <> relowner
    LOOP
        later := later || format('GRANT %s ON {table} TO %s', found.privilege_type,
            CASE found.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(found.grantee)) END);
    END LOOP;
    FOR found IN
        SELECT attname, grantee, privilege_type FROM pg_attribute, aclexplode(attacl)
        WHERE attrelid = old::regclass AND NOT attisdropped
    LOOP
        later := later || format('GRANT %s (%I) ON {table} TO %s', found.privilege_type, found.attname,
            CASE found.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(found.grantee)) END);
    END LOOP;

    FOR place IN 1 .. coalesce(array_length(later, 1), 0) LOOP
        EXECUTE later[place];
    END LOOP;
    ALTER TABLE {table} ATTACH PARTITION {old} FOR VALUES FROM (MINVALUE) TO ('{bound}');
    ALTER TABLE {old} DROP CONSTRAINT ck_{table}_month;
END
$swap$
"""


def partition_by_month(table: str, key: str) -> None:
    """Gives a table partitions by the months of a UUID of version 7; does nothing where it has them.

    Its rows so far are the first partition, which ends with a month at least 45 days ahead; the caller makes others. No
    foreign key may lead to the table. Raises OperationalError where the table was not to be had in TRIES attempts, and
    IntegrityError where an id lies beyond the month.
    """
    bind = op.get_bind()
    with beside_traffic():
        if bind.exec_driver_sql(_IS_PARTITIONED.format(table=table)).scalar():
            return
        month, is_valid = _month(table)
        bound = smallest_of(month)
        if is_valid is None:
            briefly(
                f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_month, "
                f"ADD CONSTRAINT ck_{table}_month CHECK ({key} < '{bound}') NOT VALID"
            )
        if not is_valid:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_month")
        old = f"{table}_before_{month:%Y_%m}"
        briefly(_SWAP.format(table=table, key=key, old=old, bound=bound))


def briefly(statement: str) -> CursorResult[Any]:
    """Runs a statement that needs a table for itself for a moment, in a transaction of its own; what it gives.

    To be called outside of a transaction. It waits for the table for LOCK_WAIT_S at a time.
    """
    bind = op.get_bind()
    (before,) = bind.exec_driver_sql("SHOW lock_timeout").one()
    bind.exec_driver_sql(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
    left = TRIES
    try:
        while True:
            try:
                return bind.exec_driver_sql(statement.replace("%", "%%"))
            except OperationalError as error:
                left -= 1
                if not left or not isinstance(error.orig, _GIVEN_WAY):
                    raise
            # Not in step with what comes regularly.
            time.sleep(random.uniform(0.05, _LONGEST_PAUSE_S))  # noqa: S311 - no secret
    finally:
        bind.exec_driver_sql(f"SET lock_timeout = '{before}'")


def smallest_of(month: datetime) -> str:
    """The smallest UUID of version 7 of a month, by its first instant."""
    return f"{int(month.timestamp() * 1000):012x}70008000000000000000"


def _month(table: str) -> tuple[datetime, bool | None]:
    """The month that the first partition is to end before; and whether its check is valid, None where there is none."""
    bind = op.get_bind()
    (month,) = bind.exec_driver_sql(_MONTH.format(ahead=_AHEAD)).one()
    (near,) = bind.exec_driver_sql(_MONTH.format(ahead="0 days")).one()
    found = bind.exec_driver_sql(_CHECK.format(table=table)).one_or_none()
    if found is not None:
        milliseconds = int(found[1].split("'")[1].replace("-", "")[:12], 16)
        begun = datetime.fromtimestamp(milliseconds / 1000, month.tzinfo)
        if begun > near:
            return begun, found[0]
    return month, None
