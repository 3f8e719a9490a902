"""The commands of `tukupay-sms`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from service_kit.embedded.postgres_binaries import PostgresError
from service_kit.settings import SettingsError
from sms_cli.accounts.accounts_commands import accounts
from sms_cli.accounts.billing_commands import billing_commands
from sms_cli.audit.audit_commands import audit
from sms_cli.batch.batch_command import send_batch
from sms_cli.carriers.carriers_commands import carriers
from sms_cli.costs.cost_file_commands import file_commands
from sms_cli.costs.cost_report_commands import report_commands
from sms_cli.costs.costs_commands import costs
from sms_cli.keys.keys_commands import keys
from sms_cli.local.certificates_commands import certificates
from sms_cli.local.local_commands import UP_EPILOG, migrate, phone, serve, status, up
from sms_cli.notices.alerts_commands import alerts
from sms_cli.notices.endpoint_commands import webhooks
from sms_cli.outbox.send_command import send
from sms_cli.outbox.watch_command import watch
from sms_cli.privacy.privacy_commands import privacy
from sms_cli.reports.reports_commands import reports
from sms_cli.retention.retention_commands import retention
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.terminal import print_failure, print_failure_as_json
from sms_cli.suppressions.suppressions_commands import suppressions
from sms_cli.tokens.tokens_commands import tokens

application = typer.Typer(
    name="tukupay-sms",
    help="Run TukuPay SMS on this machine, send SMS, and inspect messages, accounts and prices.",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: the rich one names a type for options without a value, and costs 0.2 s.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
costs.add_typer(file_commands)
costs.add_typer(report_commands)
application.add_typer(carriers, name="carriers")
accounts.add_typer(billing_commands)
application.add_typer(accounts, name="accounts")
application.add_typer(keys, name="keys")
application.add_typer(audit, name="audit")
application.add_typer(costs, name="costs")
application.add_typer(privacy, name="privacy")
application.add_typer(retention, name="retention")
application.add_typer(reports, name="reports")
application.add_typer(suppressions, name="suppressions")
application.add_typer(webhooks, name="webhooks")
application.add_typer(alerts, name="alerts")
application.add_typer(tokens, name="tokens")
application.add_typer(certificates, name="certificates")


def _show_version(wanted: bool) -> None:
    from importlib.metadata import version  # noqa: PLC0415 - only needed here

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
    """Run TukuPay SMS on this machine, send SMS, and inspect messages, accounts and prices."""


application.command(epilog=UP_EPILOG)(up)
application.command()(serve)
application.command()(migrate)
application.command()(phone)
application.command()(send)
application.command("send-batch")(send_batch)
application.command()(watch)
application.command()(status)


def run() -> None:
    """Runs the command line; prints failures as a sentence and a remedy, or as JSON with --json."""
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
