"""`tukupay-sms up`, `serve`, `migrate`, `phone` and `status`: the system on this machine."""

from __future__ import annotations

import asyncio
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from service_kit.settings import declared
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import DATABASE_VARIABLES, LocalSettings, client_environment, client_settings
from sms_cli.shared.options import AsJson
from sms_cli.shared.terminal import out, print_json, print_table

UP_EPILOG = "\n\n".join(
    (
        "Settings, all from the environment:",
        *(
            f"{each.env}: {each.description} (default {each.default_text or each.default})"
            for each in declared(LocalSettings)
        ),
        "PRICING_DATABASE_URL, MESSAGING_DATABASE_URL: databases of your own instead of the embedded PostgreSQL",
        "TUKUPAY_POSTGRES_BIN: folder with the programs of another PostgreSQL, 15 or newer",
        "The settings of the services are passed on to them.",
    )
)
"""What `up --help` ends with."""


class ServiceName(StrEnum):
    """The services that `serve` can run."""

    pricing = "pricing"
    messaging = "messaging"
    gateway = "gateway"
    sandbox = "sandbox"


class MigrationTarget(StrEnum):
    """The services whose databases `migrate` can migrate."""

    pricing = "pricing"
    messaging = "messaging"
    all = "all"


def up(
    *,
    tls: Annotated[bool, typer.Option("--tls", help="Speak HTTPS, and mTLS between the services.")] = False,
) -> None:
    """Run everything on this machine: PostgreSQL, pricing, messaging, gateway and the sandbox carrier."""
    from sms_cli.local.up import up as run_up  # noqa: PLC0415 - the other commands start faster without it

    raise typer.Exit(run_up(tls=tls))


def serve(service: Annotated[ServiceName, typer.Argument(help="The service to run.")]) -> None:
    """Run one service in the foreground, with settings from the environment."""
    from sms_cli.local.local_parts import module_command  # noqa: PLC0415 - see up

    command = module_command(service.value)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - a module of ours


def migrate(
    target: Annotated[
        MigrationTarget, typer.Argument(help="The service whose database to migrate.")
    ] = MigrationTarget.all,
    grant: Annotated[
        str | None, typer.Option(help="Let this role run the services, without the right to change evidence.")
    ] = None,
) -> None:
    """Migrate databases to the schema that the services expect; does nothing when it is up to date."""
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
        asyncio.run(migrate_database(name, environment, grant))
        out.print(f"{name}: its database is up to date")
        if grant is not None:
            out.print(f"{name}: the role {grant} may run the service, and change no evidence", markup=False)


def phone(
    number: Annotated[str | None, typer.Argument(help="One phone, for instance +254712345678.")] = None,
    reply: Annotated[str | None, typer.Option(help="Send this text from the phone, for instance STOP.")] = None,
    to: Annotated[str | None, typer.Option(help="The sender id it goes to; the latest sender if absent.")] = None,
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


def status(*, as_json: AsJson = False) -> None:
    """Show the state of all parts; exits with 1 unless all of them serve."""
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
