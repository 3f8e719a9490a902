"""What PostgreSQL spends its time on: planning and running of each statement, by pg_stat_statements."""

from __future__ import annotations

import re

import msgspec
import psycopg

SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_planning": "on",
}
"""They are read at the start of the server."""

_SHOWN = 25
_LONGEST = 90
_READ = """
    SELECT d.datname, s.query, s.calls, s.total_plan_time, s.total_exec_time, s.rows, s.wal_bytes
    FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
    WHERE s.query NOT LIKE '%%pg_stat_statements%%'
    ORDER BY s.total_plan_time + s.total_exec_time DESC
"""
_READ_TABLES = """
    SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del FROM pg_stat_user_tables
    WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY n_tup_ins + n_tup_upd + n_tup_del DESC
"""
_TARGET = re.compile(r"(?<!FOR )(?<!KEY )(INSERT INTO|UPDATE|DELETE FROM) (\w+)", re.IGNORECASE)


class Statement(msgspec.Struct, frozen=True):
    """One statement within the window."""

    database: str
    text: str
    """In short."""
    calls: int
    rows: int
    plan_us: float
    """Planning, in microseconds for each message."""
    run_us: float
    """Running, in microseconds for each message; the wait for the disk at a commit is in none of them."""
    wal_bytes: float
    """Written ahead for each message."""


class Table(msgspec.Struct, frozen=True):
    """Rows written within the window."""

    name: str
    inserted: int
    updated: int
    updated_in_place: int
    """Of the updated ones, those that wrote no index entries (heap-only tuples)."""
    deleted: int


async def turn_on(url: str) -> None:
    """Has the server load the extension at its next start."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for name, value in SETTINGS.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())


async def reset(url: str) -> None:
    """Begins to count anew."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        await connection.execute("SELECT pg_stat_statements_reset(), pg_stat_reset()")


async def read(url: str, messages: int) -> list[Statement]:
    """What was counted, most expensive first, spread over that many messages."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(_READ)
        rows = await cursor.fetchall()
    share = 1_000 / max(1, messages)
    return [
        Statement(
            database=database,
            text=_short(query),
            calls=calls,
            rows=count,
            plan_us=round(plan_ms * share, 1),
            run_us=round(run_ms * share, 1),
            wal_bytes=round(float(wal) / max(1, messages), 1),
        )
        for database, query, calls, plan_ms, run_ms, count, wal in rows
    ]


async def read_tables(url: str) -> list[Table]:
    """The tables of the database that were written, most rows first."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(_READ_TABLES)
        return [Table(*row) for row in await cursor.fetchall()]


def report(statements: list[Statement], tables: list[Table], messages: int) -> str:
    """Statements and tables as text."""
    lines = [
        "== PostgreSQL",
        f"By statement, over {messages:,} messages: elapsed time, which is processor time unless a statement waits.",
        "",
        f"  {'plan µs':>8}  {'run µs':>8}  {'calls':>7}  {'rows/call':>9}  {'µs/call':>8}  {'WAL B':>7}  statement",
    ]
    for each in statements[:_SHOWN]:
        per_call = (each.plan_us + each.run_us) * messages / each.calls
        lines.append(
            f"  {each.plan_us:8.1f}  {each.run_us:8.1f}  {each.calls:7,}  {each.rows / each.calls:9.1f}  "
            f"{per_call:8,.0f}  {each.wal_bytes:7,.0f}  {each.database}: {each.text}"
        )
    plan_us = sum(each.plan_us for each in statements)
    run_us = sum(each.run_us for each in statements)
    wal = sum(each.wal_bytes for each in statements)
    calls = sum(each.calls for each in statements)
    lines.append(f"  {plan_us:8.1f}  {run_us:8.1f}  {calls:7,}  {'':9}  {'':8}  {wal:7,.0f}  all")
    lines += ["", f"  {'inserted':>9}  {'updated':>9}  {'in place':>9}  {'deleted':>9}  rows of the messaging database"]
    for table in tables:
        counts = (table.inserted, table.updated, table.updated_in_place, table.deleted)
        lines.append("  " + "  ".join(f"{count:9,}" for count in counts) + f"  {table.name}")
    return "\n".join(lines) + "\n"


def _short(query: str) -> str:
    """A statement on a line; of one that writes several tables, which ones."""
    flat = " ".join(query.split())
    if flat.upper().startswith("WITH"):
        writes = [f"{verb.split()[0].lower()} {table}" for verb, table in _TARGET.findall(flat)]
        flat = f"WITH … {', '.join(dict.fromkeys(writes)) or flat[5:]}"
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"
