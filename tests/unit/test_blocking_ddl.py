"""What a migration may do to tables that are in use, and what it may not."""

from __future__ import annotations

import pytest

from tests.system.blocking_ddl import Ran, blocking


def judged(*statements: str, alone: bool = False, allowed: dict[str, str] | None = None) -> str:
    """All that is found wrong, on one line."""
    return " | ".join(blocking([Ran(sql, alone) for sql in statements], allowed))


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("CREATE INDEX ix ON message (tags)", "takes no writes"),
        ("CREATE UNIQUE INDEX ix ON message (tags)", "takes no writes"),
        ("DROP INDEX ix", "drop_index"),
        ("REINDEX TABLE message", "takes no writes"),
        ("DROP TABLE message", "previous release"),
        ("TRUNCATE message", "previous release"),
        ("ALTER TABLE message DROP COLUMN tags", "previous release"),
        ("ALTER TABLE message RENAME COLUMN tags TO labels", "previous release"),
        ("ALTER TABLE message RENAME TO sms", "previous release"),
        ("ALTER TABLE message ALTER COLUMN units TYPE bigint", "rewrite"),
        ("ALTER TYPE level RENAME TO price_level", "rewrite"),
        ("ALTER TABLE message ALTER COLUMN carrier SET NOT NULL", "IS NOT NULL"),
        ("ALTER TABLE message ADD CONSTRAINT a CHECK (units > 0)", "NOT VALID"),
        ("ALTER TABLE message ADD CONSTRAINT a FOREIGN KEY (b) REFERENCES c (d)", "NOT VALID"),
        ("ALTER TABLE message ADD CONSTRAINT a UNIQUE (b)", "USING INDEX"),
        ("ALTER TABLE message VALIDATE CONSTRAINT a", "beside traffic"),
        ("ALTER TABLE message ADD COLUMN a text NOT NULL", "constant DEFAULT"),
        ("ALTER TABLE message ADD COLUMN a uuid DEFAULT gen_random_uuid() NOT NULL", "row to row"),
        ("ALTER TABLE message ADD COLUMN a text REFERENCES b (c)", "under lock"),
        ("ALTER TABLE message ADD COLUMN a bigint GENERATED ALWAYS AS IDENTITY", "under lock"),
        ("ALTER TABLE message ADD COLUMN a text, DROP COLUMN b", "previous release"),
        ("ALTER TABLE message SET TABLESPACE fast", "not known to be harmless"),
        ("UPDATE message SET tags = '{}'", "by portions"),
        ("DELETE FROM message", "by portions"),
        ("LOCK TABLE message", "holds up"),
        ("VACUUM FULL message", "rewrites"),
    ],
)
def test_what_blocks_is_refused_and_says_why(statement: str, why: str) -> None:
    assert why in judged(statement)
    assert judged(statement, allowed={statement[:20]: "a reason"}) == ""


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE message ADD COLUMN IF NOT EXISTS a text",
        "ALTER TABLE message ADD COLUMN a text DEFAULT 'x, y' NOT NULL, ADD COLUMN b NUMERIC(18, 6)",
        "ALTER TABLE message ADD COLUMN a text[] DEFAULT '{}'::text[] NOT NULL",
        "ALTER TABLE message ADD COLUMN a boolean DEFAULT false NOT NULL",
        "ALTER TABLE message DROP CONSTRAINT a, ADD CONSTRAINT a CHECK (b IN ('c', 'd')) NOT VALID",
        "ALTER TABLE message ALTER COLUMN a DROP NOT NULL",
        "ALTER INDEX a RENAME TO b",
        "CREATE TABLE a (b text)",
        "COMMENT ON TABLE message IS 'DROP TABLE message'",
        "INSERT INTO message (a) VALUES ('UPDATE message')",
        "UPDATE alembic_version SET version_num='0002'",
    ],
)
def test_what_takes_a_moment_is_let_pass(statement: str) -> None:
    assert judged(statement) == ""


def test_concurrent_builds_and_validation_alone_are_let_pass() -> None:
    assert judged("CREATE INDEX CONCURRENTLY ix ON message (tags)", alone=True) == ""
    assert judged("DROP INDEX CONCURRENTLY IF EXISTS ix", alone=True) == ""
    assert judged("ALTER TABLE message VALIDATE CONSTRAINT a", alone=True) == ""


def test_a_column_that_is_checked_for_null_may_become_not_null() -> None:
    check = "ALTER TABLE message ADD CONSTRAINT a CHECK (carrier IS NOT NULL) NOT VALID"
    assert judged(check, "ALTER TABLE message ALTER COLUMN carrier SET NOT NULL") == ""
    assert "IS NOT NULL" in judged(check, "ALTER TABLE message ALTER COLUMN tags SET NOT NULL")


def test_a_table_of_the_same_migration_may_be_treated_in_any_way() -> None:
    assert judged("CREATE TABLE a (b text)", "CREATE INDEX ix ON a (b)", "ALTER TABLE a DROP COLUMN b") == ""


def test_a_reason_that_is_not_needed_is_named() -> None:
    assert "blocks nothing" in judged("CREATE TABLE a (b text)", allowed={"UPDATE b": "once it did"})
