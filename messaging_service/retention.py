"""`python -m messaging_service.retention plan|remove`: removes old months where only the services are installed.

What `tukupay-sms retention` does, for a CronJob with the image of the services.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import psycopg

from messaging_service.months.postgres import month_removal
from messaging_service.months.postgres.month_removal import MonthInUseError
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from messaging_service.wiring.settings.month_settings import MonthSettings
from service_kit.settings import SettingsError, load


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Prints a line for each month; the exit code, which is 1 when it stopped before the end."""
    options = _parser().parse_args(arguments)
    try:
        database, months = load(DatabaseSettings, environment), load(MonthSettings, environment)
        url = database.database_direct_url or database.database_url
        keep = months.message_retention_months if options.keep_months is None else options.keep_months
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            for line in _lines(connection, keep, options.by if options.do == "remove" else None):
                print(line, flush=True)  # noqa: T201 - as other programs do
    except (SettingsError, MonthInUseError, psycopg.Error) as error:
        print(error, file=sys.stderr)  # noqa: T201 - likewise
        return 1
    return 0


def _lines(connection: psycopg.Connection, keep: int, by: str | None) -> Iterator[str]:
    """`by`: who asks for the removal; None for the plan alone."""
    now = datetime.now(UTC)
    if by is not None:
        for gone in month_removal.remove(connection, now, keep, by=by):
            yield f"{gone.partition}: {gone.rows} rows, {gone.octets} bytes"
        return
    for each in month_removal.plan(connection, now, keep):
        result = "; ".join(each.obstacles) or "goes"
        yield f"{each.month.partition} (ends before {each.month.ends:%Y-%m-%d}, {each.month.octets} bytes): {result}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m messaging_service.retention", description="Months of messages.")
    parser.add_argument("do", choices=("plan", "remove"), help="say which months may go, or remove them")
    parser.add_argument("--keep-months", type=int, help="SMS_MESSAGE_RETENTION_MONTHS without it; 0 keeps all")
    parser.add_argument("--by", default="operator", help="who asks, for the audit log")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
