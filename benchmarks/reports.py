"""Reports over very many messages, at the terminal and over REST: how long, and how much memory it takes.

Starts a system of its own (`tukupay-sms up` in a temporary home), writes messages of a month with ledger entries, parts
and what the carrier reported within the database, and stops everything at the end. Linux only. Prints rows of a table
in Markdown; exits with 1 when a report is not what was written.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.own_system import OwnSystem, own_system
from benchmarks.processes import costs

PERIOD = ("--from", "2026-06-01T00:00:00Z", "--to", "2026-07-01T00:00:00Z")
ACCOUNTS = 2_000
_FETCH = """
import shutil, sys, urllib.request
shutil.copyfileobj(urllib.request.urlopen(sys.argv[1]), open(sys.argv[2], "wb"))
"""

_STATEMENTS = (
    "INSERT INTO account (id) SELECT 'acc' || n FROM generate_series(0, %(accounts)s - 1) AS n",
    """
    INSERT INTO message (id, account_id, client_message_id, app_id, recipient, text, sender_id, priority, encoding,
        units, price_cost_id, price_level, unit_price, total, state, billing, created_at, sent_at, carrier, tags)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'acc' || n %% %(accounts)s, 'm' || n, 'app' || n %% 5, '+254712345678',
        'hello', 'BENCH', 'normal', 'gsm7', 1, 'cost', 'direct_customer', 0.8, 0.8, 'delivered', 'charged', at, at,
        'at', CASE n %% 3 WHEN 0 THEN '{otp}'::text[] WHEN 1 THEN '{otp,vip}' ELSE '{}' END
    FROM generate_series(0, %(messages)s - 1) AS n
    CROSS JOIN LATERAL (SELECT timestamptz '2026-06-01Z' + n * interval '2592000 s' / %(messages)s AS at) AS instant
    """,
    """
    INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt, created_at)
    SELECT account_id, 'charge', -total, id, 1, sent_at FROM message
    """,
    """
    INSERT INTO message_event (message_id, attempt, from_state, to_state, at, actor, carrier, carrier_cost,
        carrier_parts)
    SELECT id, 1, 'submitting', 'accepted', sent_at, 'bench', 'at', 0.4, 1 FROM message
    """,
    """
    INSERT INTO message_part (message_id, attempt, part, carrier, carrier_message_id, canonical_id)
    SELECT id, 1, 1, 'at', 'atxid_' || client_message_id, 'atxid_' || client_message_id FROM message
    """,
    "VACUUM ANALYZE message, ledger_entry, message_event, message_part",
)


async def _fill(system: OwnSystem, messages: int) -> None:
    async with await psycopg.AsyncConnection.connect(
        system.database_url, autocommit=True, options="-c statement_timeout=0"
    ) as connection:
        for statement in _STATEMENTS:
            values = {"messages": messages, "accounts": ACCOUNTS} if "%(" in statement else None
            await connection.execute(statement.encode(), values)


async def _measured(
    system: OwnSystem, what: str, command: list[str], is_right: Callable[[], bool], *, rows: int, code: int = 0
) -> bool:
    """Runs a command line and prints a row."""
    pids = {name: pid for name, pid in system.pids.items() if name in {"gateway", "messaging"}}
    before, most = costs(pids), dict(costs(pids).memory_mb)
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, env={"PATH": os.environ["PATH"], "TUKUPAY_HOME": str(system.home)}, stdout=asyncio.subprocess.DEVNULL
    )
    peak = 0.0
    while process.returncode is None:
        looked = costs({**pids, "client": process.pid}).memory_mb
        peak = max(peak, looked["client"])
        most = {name: max(most[name], looked[name]) for name in pids}
        await asyncio.wait([asyncio.ensure_future(process.wait())], timeout=0.3)
    took = time.perf_counter() - begun
    right = process.returncode == code and is_right()
    cpu = costs(pids).cpu_s["messaging"] - before.cpu_s["messaging"]
    sys.stdout.write(
        f"| {what} | {rows:,} | {took:.1f} | {cpu:.1f} | {before.memory_mb['messaging']:.0f} | {most['messaging']:.0f} "
        f"| {most['gateway']:.0f} | {peak:.0f} |{'' if right else ' NOT RIGHT'}\n"
    )
    sys.stdout.flush()
    return right


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


async def _main(messages: int) -> int:
    sys.stdout.write(
        "| report | rows | s | CPU s messaging | messaging MB before | at most | gateway MB at most "
        "| client MB at most |\n"
        "|" + " --- |" + " ---: |" * 7 + "\n"
    )
    cli = [sys.executable, "-m", "sms_cli", "reports"]
    with tempfile.TemporaryDirectory(prefix="tukupay-reports-") as folder:
        out, invoice = Path(folder) / "out.csv", Path(folder) / "invoice.csv"
        with invoice.open("w", encoding="utf-8") as file:
            file.write("carrierMessageId,parts,cost\n")
            # One in a thousand is billed for two parts, and so also for more than was reported.
            file.writelines(
                f"ATXid_m{n},{2 - (n % 1000 != 0)},{'0.8' if n % 1000 == 0 else '0.4'}\n" for n in range(messages)
            )
        async with own_system({}) as system:
            await _fill(system, messages)
            url = f"http://{system.gateway}/api/sms/reports/costs?from=2026-06-01T00:00:00Z&to=2026-07-01T00:00:00Z"
            written = ("--output", str(out))
            wrong = 2 * ((messages + 999) // 1_000)
            by_day = [*cli, "costs", *PERIOD, "--by", "day", "--by", "app", *written]
            by_account = [*cli, "costs", *PERIOD, "--by", "day", "--by", "account", *written]
            over_rest = [sys.executable, "-c", _FETCH, f"{url}&groupBy=day,account&format=csv", str(out)]
            groups = min(messages, 31 * ACCOUNTS)
            export = [*cli, "messages", *PERIOD, *written]
            reconcile = [*cli, "reconcile", "--carrier", "at", "--invoice", str(invoice), *PERIOD, *written]
            rights = [
                await _measured(system, "costs by day and app", by_day, lambda: _lines(out) == 156, rows=155),
                await _measured(
                    system, "costs by day and account", by_account, lambda: _lines(out) == groups + 1, rows=groups
                ),
                await _measured(
                    system, "the same over REST as CSV", over_rest, lambda: _lines(out) == groups + 1, rows=groups
                ),
                await _measured(system, "every message", export, lambda: _lines(out) == messages + 1, rows=messages),
                await _measured(
                    system, "an invoice", reconcile, lambda: _lines(out) == wrong + 1, rows=messages, code=1
                ),
            ]
    return 0 if all(rights) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many")
    sys.exit(asyncio.run(_main(parser.parse_args().messages)))
