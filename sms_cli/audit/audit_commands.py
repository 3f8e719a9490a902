"""`tukupay-sms audit`: who changed what, and whether the evidence is whole."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import client_environment
from sms_cli.shared.options import AsJson, instant_option, parsed
from sms_cli.shared.terminal import out, print_json, print_table

audit = typer.Typer(help="Show who changed what, and verify that no evidence was changed.", no_args_is_help=True)
BROKEN_EXIT = 1


class AuditedService(StrEnum):
    """The services that have an audit log."""

    messaging = "messaging"
    pricing = "pricing"


@audit.callback()
def group() -> None:
    """The audit log, and the chains over it, the ledger, the events of messages and the prices."""


@audit.command("list")
def list_entries(
    service: Annotated[AuditedService, typer.Argument(help="Whose log.")] = AuditedService.messaging,
    *,
    action: Annotated[
        str | None, typer.Option(help="Only this action, or a noun with a dot, for instance account.")
    ] = None,
    principal: Annotated[str | None, typer.Option(help="Only changes that this caller asked for.")] = None,
    user: Annotated[str | None, typer.Option(help="Only changes about this account.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only changes of this.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Only entries from this instant on.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Only entries before this instant.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, newest first: changes by hand, and calls that were refused."""
    from sms_cli.audit import audit_list  # noqa: PLC0415 - loads the stubs

    question = audit_list.question(
        action=action,
        principal=principal,
        user_id=user,
        subject=subject,
        start=instant_option("--from", start),
        end=instant_option("--to", end),
    )
    found = audit_list.entries(service.value, question, limit)
    if as_json:
        print_json(audit_list.document(found))
    else:
        audit_list.show(found)


@audit.command("verify")
def verify(
    database: Annotated[str, typer.Argument(help="pricing, messaging or all.")] = "all",
    *,
    anchor: Annotated[
        list[str] | None, typer.Option(help="What `audit head` printed once; several times for more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the chains of the databases, and name the first row of each that was changed.

    It reads the databases themselves (PRICING_DATABASE_URL, MESSAGING_DATABASE_URL), and exits with 1 when a chain is
    broken. Without anchors, a whole chain that was written anew by somebody with all rights is not noticed.
    """
    from sms_cli.audit import chained_databases  # noqa: PLC0415 - loads the database driver

    services = parsed(chained_databases.AuditedDatabase, "DATABASE", database).services
    anchors = [parsed(chained_databases.parse_anchor, "--anchor", text) for text in anchor or ()]
    environment = client_environment()
    verdicts = [
        (service, verdict)
        for service in services
        for verdict in chained_databases.verify(service, environment, anchors)
    ]
    if as_json:
        print_json(
            [
                {
                    "database": service,
                    "chain": verdict.chain,
                    "rows": verdict.rows,
                    "batches": verdict.batches,
                    "unchained": verdict.unchained,
                    "removed": verdict.removed,
                    "fault": verdict.fault,
                }
                for service, verdict in verdicts
            ]
        )
    else:
        table = Table("chain", "rows", "batches", "not chained yet", "removed", "result")
        for service, verdict in verdicts:
            numbers = (f"{verdict.rows:,}", f"{verdict.batches:,}", f"{verdict.unchained:,}", f"{verdict.removed:,}")
            table.add_row(f"{service}/{verdict.chain}", *numbers, verdict.fault or "whole")
        print_table(table, wraps={"result"})
    if any(verdict.fault for _, verdict in verdicts):
        raise CommandError(
            "the evidence is broken",
            "stop who has rights in the database, keep a copy of it as it is, and see docs/guides/audit.md",
            exit_code=BROKEN_EXIT,
        )


@audit.command("head")
def head(
    database: Annotated[str, typer.Argument(help="pricing, messaging or all.")] = "all", *, as_json: AsJson = False
) -> None:
    """Print the newest hash of each chain, to be kept where nobody who has the databases can change it.

    `audit verify --anchor` compares it later: what was on record now can then not be written anew without a trace.
    """
    from sms_cli.audit import chained_databases  # noqa: PLC0415 - loads the database driver

    services = parsed(chained_databases.AuditedDatabase, "DATABASE", database).services
    environment = client_environment()
    found = [
        (service, each)
        for service in services
        for each in chained_databases.newest(service, environment)
        if each.number
    ]
    if as_json:
        print_json(
            [
                {
                    "database": service,
                    "chain": each.chain,
                    "number": each.number,
                    "lastId": each.last_id,
                    "hash": each.hash.hex(),
                }
                for service, each in found
            ]
        )
        return
    for service, each in found:
        # A line is an anchor, to be copied as it is.
        out.print(f"{service}/{each.chain}:{each.number}:{each.hash.hex()}", markup=False, soft_wrap=True)
