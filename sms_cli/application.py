"""The commands of `tukupay-sms`."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from service_kit.embedded.postgres_binaries import PostgresError
from service_kit.settings import SettingsError
from sms_cli.accounts.accounts_commands import accounts
from sms_cli.accounts.billing_commands import billing_commands
from sms_cli.batch.batch_command import send_batch
from sms_cli.carriers.carriers_commands import carriers
from sms_cli.costs.cost_file_commands import file_commands
from sms_cli.costs.cost_report_commands import report_commands
from sms_cli.costs.costs_commands import costs
from sms_cli.notices.alerts_commands import alerts
from sms_cli.notices.endpoint_commands import webhooks
from sms_cli.outbox.watch_command import watch
from sms_cli.reports.reports_commands import reports
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import DATABASE_VARIABLES, LocalSettings, client_environment, client_settings
from sms_cli.shared.options import Lane, instant_option
from sms_cli.shared.terminal import out, print_failure, print_failure_as_json, print_json, print_record, print_table
from sms_cli.suppressions.suppressions_commands import suppressions

application = typer.Typer(
    name="tukupay-sms",
    help="TukuPay SMS on this machine: run it, send through it, look into it.",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: the other form names a type for options that take no value, and costs 0.2 s.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
costs.add_typer(file_commands)
costs.add_typer(report_commands)
application.add_typer(carriers, name="carriers")
accounts.add_typer(billing_commands)
application.add_typer(accounts, name="accounts")
application.add_typer(costs, name="costs")
application.add_typer(reports, name="reports")
application.add_typer(suppressions, name="suppressions")
application.add_typer(webhooks, name="webhooks")
application.add_typer(alerts, name="alerts")


def _show_version(wanted: bool) -> None:
    from importlib.metadata import version  # noqa: PLC0415 - see up

    if wanted:
        print(f"tukupay-sms {version('tukupay-sms')}")  # noqa: T201 - as other programs do
        raise typer.Exit


@application.callback()
def main(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """TukuPay SMS on this machine: run it, send through it, look into it."""


class ServiceName(StrEnum):
    """What can be served alone."""

    pricing = "pricing"
    messaging = "messaging"
    gateway = "gateway"
    sandbox = "sandbox"


class MigrationTarget(StrEnum):
    """Whose database is migrated."""

    pricing = "pricing"
    messaging = "messaging"
    all = "all"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@application.command(
    epilog="\n\n".join(
        (
            "Settings, all from the environment:",
            *(
                f"{spec.metadata['env']}: {spec.metadata['help']} (default {spec.default})"
                for spec in dataclasses.fields(LocalSettings)
            ),
            "PRICING_DATABASE_URL, MESSAGING_DATABASE_URL: databases of your own instead of the embedded PostgreSQL",
            "TUKUPAY_POSTGRES_BIN: folder with the programs of another PostgreSQL, 15 or newer",
            "The settings of the services are passed on to them.",
        )
    )
)
def up() -> None:
    """Run everything on this machine: PostgreSQL, pricing, messaging, gateway and the sandbox carrier."""
    from sms_cli.local.up import up as run_up  # noqa: PLC0415 - the other commands start faster without it

    raise typer.Exit(run_up())


@application.command()
def serve(service: Annotated[ServiceName, typer.Argument(help="Which service.")]) -> None:
    """Run one service in the foreground, with settings from the environment."""
    from sms_cli.local.local_parts import module_command  # noqa: PLC0415 - see up

    command = module_command(service.value)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - a module of ours


@application.command()
def migrate(
    target: Annotated[MigrationTarget, typer.Argument(help="Whose database.")] = MigrationTarget.all,
) -> None:
    """Bring databases to the tables that the services expect; does nothing when they have them."""
    from sms_cli.local.migrate_databases import migrate_database  # noqa: PLC0415 - see up

    environment = client_environment()
    names = list(DATABASE_VARIABLES) if target is MigrationTarget.all else [target.value]
    for name in names:
        variable = DATABASE_VARIABLES[name]
        if variable not in environment:
            raise CommandError(
                f"the database of {name} is not known",
                f"set {variable}, for instance postgresql://user@host/{name}, or start `tukupay-sms up`, "
                "which migrates its own databases",
            )
    for name in names:
        asyncio.run(migrate_database(name, environment))
        out.print(f"{name}: its database is up to date")


@application.command()
def phone(
    number: Annotated[str | None, typer.Argument(help="One phone, for instance +254712345678.")] = None,
    reply: Annotated[str | None, typer.Option(help="Let it write this, for instance STOP.")] = None,
    to: Annotated[str | None, typer.Option(help="To this sender id; to who wrote last if absent.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what the phones of the sandbox carrier received, or let one of them reply."""
    from sms_cli.local.phone import fetch_phones, show_messages, show_phones, write  # noqa: PLC0415 - see up

    if reply is not None:
        if number is None:
            raise typer.BadParameter("say which phone writes", param_hint="NUMBER")
        written_to = write(client_settings().sandbox_http, number, to, reply)
        out.print(f"{number} wrote to {written_to}.", markup=False)
        return
    document = fetch_phones(client_settings().sandbox_http, number)
    if as_json:
        print_json(document)
    elif number is None:
        show_phones(document)
    else:
        show_messages(document)


@application.command()
def send(  # noqa: PLR0917 - typer calls it by keyword
    to: Annotated[str, typer.Option(help="The recipient, with + and country code.")],
    text: Annotated[str, typer.Option(help="The text.")],
    user: Annotated[str, typer.Option(help="The account that pays.")] = "user123",
    sender: Annotated[str, typer.Option(help="The sender that the phone shows.")] = "TUKUPAY",
    priority: Annotated[Lane, typer.Option(help="High goes first.")] = Lane.normal,
    at: Annotated[str | None, typer.Option(help="When, for instance 2026-01-31T08:00:00Z.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="Until when it is wanted; it is not sent from then on and costs nothing.")
    ] = None,
    message_id: Annotated[str | None, typer.Option(help="Makes a repetition harmless.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send one SMS through messaging and show its outbox entry; exits with 1 when it failed."""
    from sms_cli.outbox.send_one import PRIORITIES, advice, entry_record, has_failed, send_sms  # noqa: PLC0415 - see up

    entry = asyncio.run(
        send_sms(
            client_settings().messaging,
            recipient=to,
            text=text,
            user=user,
            sender=sender,
            priority=PRIORITIES[priority.value],
            at=instant_option("--at", at),
            expires=instant_option("--expires", expires),
            message_id=message_id,
        )
    )
    if as_json:
        print_json(entry_record(entry))
    else:
        print_record(entry_record(entry))
        out.print(f"\n{escape(advice(entry))}")
    if has_failed(entry):
        raise typer.Exit(1)


application.command("send-batch")(send_batch)
application.command("watch")(watch)


@application.command()
def status(*, as_json: AsJson = False) -> None:
    """Show how all parts are; exits with 1 unless all of them serve."""
    from sms_cli.local.system_status import all_parts  # noqa: PLC0415 - see up

    parts = asyncio.run(all_parts(client_settings(), client_environment()))
    if as_json:
        print_json(
            [
                {"part": each.part, "address": each.address, "ready": each.health.ready, "detail": each.health.detail}
                for each in parts
            ]
        )
    else:
        table = Table("part", "address", "state")
        for each in parts:
            colour = "green" if each.health.ready else "red"
            table.add_row(each.part, each.address, f"[{colour}]{escape(each.health.detail)}[/]")
        print_table(table, wraps={"state"})
    if not all(each.health.ready for each in parts):
        raise CommandError(
            "not every part serves",
            "start all of them with `tukupay-sms up`; if that runs already, its logs say what is wrong",
        )


def run() -> None:
    """Runs the command line; failures are a sentence and a remedy, never a traceback. With --json they are JSON."""
    show = print_failure_as_json if "--json" in sys.argv else print_failure
    try:
        application()
    except SettingsError as error:
        show(CommandError(str(error), "correct these variables and try again"))
        raise SystemExit(2) from None
    except (CommandError, PostgresError) as error:
        failure = error if isinstance(error, CommandError) else CommandError(str(error), "then try again")
        show(failure)
        raise SystemExit(failure.exit_code) from None
