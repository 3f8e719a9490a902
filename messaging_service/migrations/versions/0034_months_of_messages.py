"""A partition for each month of messages, of their events and of their parts."""

from __future__ import annotations

from alembic import op

from service_kit.postgres.online_ddl import beside_traffic
from service_kit.postgres.online_partitions import briefly, partition_by_month

revision = "0034"
down_revision = "0033"

# Run by the service, whose role may not create tables: so it acts for its owner, on these tables alone, and adds nothing
# but the month after the last one. A table is made and then attached, which lets sends pass; the check of accounts is
# shared, for which `account` is held for a moment. It is locked before, in a mode that waits for whoever holds a row of
# it: a weaker one would stand between a sender with a row and those that wait for the row.
_ADD_MONTH = """
CREATE OR REPLACE FUNCTION add_month_partition(parent text, months_ahead integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $body$
DECLARE
    newest record;
    begins timestamptz;
    ends timestamptz;
    name text;
BEGIN
    IF parent NOT IN ('message', 'message_event', 'message_part') OR months_ahead NOT BETWEEN 0 AND 24 THEN
        RAISE EXCEPTION 'no months of % are made, or not % ahead', parent, months_ahead;
    END IF;
    IF NOT pg_try_advisory_xact_lock(1297044569, hashtext(parent)) THEN
        RETURN NULL;
    END IF;
    SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''([0-9a-f-]+)''\\)')::uuid AS bound, c.reloptions
    INTO STRICT newest
    FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
    WHERE h.inhparent = parent::regclass ORDER BY 1 DESC NULLS LAST LIMIT 1;
    begins := to_timestamp(('x0000' || left(replace(newest.bound::text, '-', ''), 12))::bit(64)::int8 / 1000.0);
    IF begins > date_trunc('month', now(), 'UTC') + make_interval(months => months_ahead) THEN
        RETURN NULL;
    END IF;
    ends := (date_trunc('month', begins AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    name := parent || to_char(begins AT TIME ZONE 'UTC', '_YYYY_MM');
    IF parent = 'message' THEN
        LOCK TABLE account IN EXCLUSIVE MODE;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING IDENTITY)', name, parent)
        || coalesce(' WITH (' || array_to_string(newest.reloptions, ', ') || ')', '');
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, newest.bound,
        lpad(to_hex((extract(epoch FROM ends) * 1000)::int8), 12, '0') || '70008000000000000000');
    RETURN name;
END
$body$
"""
# Whoever could add messages before can have months added for them.
_LET_SERVICES = """
DO $$
DECLARE
    found record;
BEGIN
    REVOKE ALL ON FUNCTION add_month_partition(text, integer) FROM PUBLIC;
    FOR found IN
        SELECT DISTINCT pg_get_userbyid(grantee) AS role FROM pg_class, aclexplode(relacl)
        WHERE oid = 'message'::regclass AND privilege_type = 'INSERT' AND grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION add_month_partition(text, integer) TO %I', found.role);
    END LOOP;
END
$$
"""
MONTHS_AHEAD = 3


def upgrade() -> None:
    """Attaches what there is as the first partition of each table, without moving a row, then adds months.

    Sends go on meanwhile: each table is held for some milliseconds. Messages and queue rows are held together by the
    statements that write them, as events and parts always were: a key would be looked up in all months for each send.
    """
    with beside_traffic():
        briefly("ALTER TABLE dispatch DROP CONSTRAINT IF EXISTS fk_dispatch_message_id")
    for table, key in (("message_part", "message_id"), ("message_event", "message_id"), ("message", "id")):
        partition_by_month(table, key)
    with beside_traffic():
        op.execute(_ADD_MONTH)
        op.execute(_LET_SERVICES)
        for table in ("message", "message_event", "message_part"):
            while briefly(f"SELECT add_month_partition('{table}', {MONTHS_AHEAD})").scalar():
                pass
