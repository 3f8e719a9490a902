"""`tukupay-sms retention`: which months of messages may go and why others may not, and their removal."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.table import Table

from sms_cli.shared.local_settings import client_environment
from sms_cli.shared.options import AsJson
from sms_cli.shared.terminal import out, print_json, print_table

retention = typer.Typer(help="Months of messages: which may go, and their removal.", no_args_is_help=True)

Keep = Annotated[
    int | None,
    typer.Option(
        "--keep-months",
        min=1,
        max=1_200,
        help="Whole months before the present one that are kept; SMS_MESSAGE_RETENTION_MONTHS without it.",
    ),
]


@retention.callback()
def group() -> None:
    """Months of messages with their events and parts, in the database itself (MESSAGING_DATABASE_URL)."""


@retention.command("plan")
def plan(*, keep_months: Keep = None, as_json: AsJson = False) -> None:
    """Say of each month that is over whether it would go, and what keeps it. Nothing is changed."""
    from sms_cli.retention import old_months  # noqa: PLC0415 - loads the database driver

    environment = client_environment()
    keep = keep_months if keep_months is not None else old_months.months_kept(environment)
    found = old_months.plan(environment, keep)
    if as_json:
        print_json(
            [
                {
                    "partition": each.month.partition,
                    "ends": each.month.ends.isoformat(),
                    "bytes": each.month.octets,
                    "goes": not each.obstacles,
                    "obstacles": list(each.obstacles),
                }
                for each in found
            ]
        )
        return
    table = Table("month", "ends before", "MB", "result")
    for each in found:
        size = f"{each.month.octets / 1_000_000:,.1f}"
        result = "; ".join(each.obstacles) or "goes"
        table.add_row(each.month.partition, f"{each.month.ends:%Y-%m-%d}", size, result)
    print_table(table, wraps={"result"})


@retention.command("remove")
def remove(
    *,
    keep_months: Keep = None,
    by: Annotated[str | None, typer.Option(help="Who asks, for the audit log; your login without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Remove the months that `retention plan` lets go, while sends go on. The ledger stays.

    It needs the role that owns the tables (MESSAGING_DATABASE_DIRECT_URL). Run again, it goes on where it was stopped.
    """
    from sms_cli.retention import old_months  # noqa: PLC0415 - loads the database driver

    environment = client_environment()
    keep = keep_months if keep_months is not None else old_months.months_kept(environment)
    removed = []
    for each in old_months.remove(environment, keep, by or getpass.getuser()):
        removed.append(each)
        if not as_json:
            out.print(f"{each.partition}: {each.rows:,} rows, {each.octets / 1_000_000:,.1f} MB")
    if as_json:
        print_json([{"partition": each.partition, "rows": each.rows, "bytes": each.octets} for each in removed])
    elif not removed:
        out.print("nothing may go; `tukupay-sms retention plan` says why")
