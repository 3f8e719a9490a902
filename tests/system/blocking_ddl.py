"""Judges the statements of migrations: which of them would hold up a service that runs, or break the release before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """A statement that a migration ran. `alone`: outside of a transaction, so that its locks end with it."""

    sql: str
    alone: bool


_CONSTANT = r"(?:'[^']*'(?:::[\w\[\] ]+)?|-?\d+(?:\.\d+)?|true|false|now\(\)|NULL)"
_HARMLESS_ALTERATIONS = (
    r"DROP CONSTRAINT \S+",
    r"DROP CONSTRAINT IF EXISTS \S+",
    r"ADD CONSTRAINT \S+ CHECK .* NOT VALID",
    r"ADD CONSTRAINT \S+ FOREIGN KEY .* NOT VALID",
    r"ADD CONSTRAINT \S+ (?:UNIQUE|PRIMARY KEY) USING INDEX \S+",
    r"ALTER COLUMN \S+ SET DEFAULT .*",
    r"ALTER COLUMN \S+ DROP (?:DEFAULT|NOT NULL)",
    r"ALTER COLUMN \S+ SET STATISTICS \d+",
    r"SET \(.*\)",
    r"RESET \(.*\)",
)
_NAMED: tuple[tuple[str, str], ...] = (
    (r"DROP COLUMN", "the previous release reads the column; stop reading it in one release and drop it in the next"),
    (r"RENAME", "the previous release knows the old name only; add the new one, and drop the old one a release later"),
    (r"ALTER COLUMN \S+ (?:SET DATA )?TYPE", "may rewrite the table under lock; add a column and fill it by portions"),
    (
        r"ALTER COLUMN \S+ SET NOT NULL",
        "scans the table under lock; add CHECK (… IS NOT NULL) with add_checks first, which lets PostgreSQL skip that",
    ),
    (
        r"ADD CONSTRAINT \S+ (?:UNIQUE|PRIMARY KEY|EXCLUDE)",
        "builds an index under lock; build_index, then ADD CONSTRAINT … USING INDEX",
    ),
    (r"ADD CONSTRAINT", "scans the table under lock; add it NOT VALID and validate it beside traffic (add_checks)"),
)
_ON_TABLE: tuple[tuple[str, str], ...] = (
    (
        r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)(?:IF NOT EXISTS )?\S+ ON (?:ONLY )?(\w+)",
        "takes no writes while it builds; build_index",
    ),
    (r"DROP TABLE (?:IF EXISTS )?(\w+)", "the previous release reads the table; drop it in the release after"),
    (r"TRUNCATE (?:TABLE )?(\w+)", "the previous release reads the rows"),
    (r"(?:UPDATE|DELETE FROM) (?:ONLY )?(\w+)", "locks all its rows until the migration ends; change them by portions"),
    (r"LOCK (?:TABLE )?(\w+)", "holds up whoever uses the table"),
    (r"CLUSTER (\w+)", "rewrites the table under lock"),
)
_ANYWHERE: tuple[tuple[str, str], ...] = (
    (r"DROP INDEX (?!CONCURRENTLY)", "waits for the table and holds up whoever comes later; drop_index"),
    (r"REINDEX (?!.*CONCURRENTLY)", "takes no writes while it builds; REINDEX … CONCURRENTLY"),
    (r"VACUUM.*FULL", "rewrites the table under lock"),
    (r"ALTER TYPE (?!.*ADD VALUE)", "may rewrite each table with the type; add a column of a new type"),
    (r"DROP (?:TYPE|VIEW|SCHEMA|SEQUENCE)", "the previous release may use it; drop it in the release after"),
)


def blocking(statements: Iterable[Ran], allowed: Mapping[str, str] | None = None) -> list[str]:
    """What of a migration would block, in words; empty when nothing does.

    Tables that the migration itself creates are nobody's yet, so anything may be done to them. `allowed`: beginnings of
    statements that block all the same, and the reason why they may; one that is not needed is named, too.
    """
    created: set[str] = set()
    unused = set(allowed or {})
    found = []
    not_null: set[tuple[str, str]] = set()
    for ran in statements:
        sql = " ".join(ran.sql.replace('"', "").split())
        if made := re.match(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", sql):
            created.add(made[1])
        for table, column in re.findall(r"ALTER TABLE (\w+) .*CHECK \((\w+) IS NOT NULL\) NOT VALID", sql):
            not_null.add((table, column))
        why = _why(sql, ran.alone, created, not_null)
        if why is None:
            continue
        reasons = {beginning for beginning in allowed or {} if sql.startswith(beginning)}
        unused -= reasons
        if not reasons:
            found.append(f"{sql[:160]}: {why}")
    return found + [f"BLOCKS names {beginning!r}, which blocks nothing" for beginning in sorted(unused)]


def _why(sql: str, alone: bool, created: set[str], not_null: set[tuple[str, str]]) -> str | None:
    for pattern, why in _ON_TABLE:
        if (match := re.match(pattern, sql)) and match[1] not in created | {"alembic_version"}:
            return why
    for pattern, why in _ANYWHERE:
        if re.match(pattern, sql):
            return why
    altered = re.match(r"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\w+) (.*)", sql)
    if altered is None or altered[1] in created:
        return None
    if altered[2].startswith("VALIDATE CONSTRAINT"):
        return (
            None if alone else "keeps the lock of the transaction while it scans; validate beside traffic (add_checks)"
        )
    return next(filter(None, (_why_alteration(altered[1], action, not_null) for action in _actions(altered[2]))), None)


def _why_alteration(table: str, action: str, not_null: set[tuple[str, str]]) -> str | None:
    if any(re.fullmatch(pattern, action) for pattern in _HARMLESS_ALTERATIONS):
        return None
    if (column := re.fullmatch(r"ALTER COLUMN (\w+) SET NOT NULL", action)) and (table, column[1]) in not_null:
        return None
    if action.startswith("ADD COLUMN"):
        return _why_column(action)
    for pattern, why in _NAMED:
        if re.match(pattern, action):
            return why
    return "is not known to be harmless; if it is, say so in tests/system/blocking_ddl.py"


def _why_column(action: str) -> str | None:
    if re.search(r" (?:UNIQUE|PRIMARY KEY|REFERENCES|CHECK|GENERATED)\b", action):
        return "scans or rewrites the table under lock; add the column first and the rest beside traffic"
    default = re.search(r" DEFAULT (.*?)(?: NOT NULL| NULL|$)", action)
    if default is None:
        return "has no value for rows on record; give it a constant DEFAULT" if " NOT NULL" in action else None
    if not re.fullmatch(_CONSTANT, default[1]):
        return "a DEFAULT that differs from row to row rewrites the table under lock; set it in a step of its own"
    return None


def _actions(alterations: str) -> list[str]:
    """The parts of an ALTER TABLE, which commas outside of brackets and quotes keep apart."""
    parts, depth, quoted = [""], 0, False
    for character in alterations:
        quoted ^= character == "'"
        depth += 0 if quoted else {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if character == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
