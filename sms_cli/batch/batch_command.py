"""`tukupay-sms send-batch`: one message for each line of a file."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service_kit.identifiers import identifier_problem
from service_kit.settings import SettingsError, integer
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import client_environment, client_settings
from sms_cli.shared.options import AsJson, Lane, instant_option, parsed
from sms_cli.shared.terminal import print_json

if TYPE_CHECKING:
    from sms_cli.batch.batch_files import Campaign
    from sms_cli.batch.batch_run import Pace

MAX_CAMPAIGN = 100
_DEFAULT_UNITS = 10


def send_batch(  # noqa: PLR0917 - typer calls it by keyword
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv",
            help="CSV with a column recipient; optional: sender, scheduled, expires, messageId, tags.",
        ),
    ],
    text: Annotated[str | None, typer.Option(help="The text, with {name} for the value of the column name.")] = None,
    text_file: Annotated[Path | None, typer.Option(help="A file with the text.")] = None,
    user: Annotated[str, typer.Option(help="The account that pays.")] = "user123",
    sender: Annotated[str, typer.Option(help="The sender for lines that name none.")] = "TUKUPAY",
    recipient_column: Annotated[str, typer.Option(help="The column of the phone numbers.")] = "recipient",
    country: Annotated[
        str | None,
        typer.Option(help="Read numbers such as 0712345678 and 254712345678 as those of this country, such as KE."),
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(help="Names this sending: a line of it is sent once. Made from the file and the text if absent."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Your name for this kind of message.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag for all messages; may be repeated.")] = None,
    priority: Annotated[Lane, typer.Option(help="High goes first.")] = Lane.normal,
    expires: Annotated[str | None, typer.Option(help="When messages expire, for lines that do not say.")] = None,
    results: Annotated[
        Path | None, typer.Option(help="File for the result of each line; FILE.results.csv if absent.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, max=60, help="Seconds to wait for the carrier's answers.")] = 10,
    patience: Annotated[float, typer.Option(min=0, help="Seconds without success before it stops.")] = 120,
    batch: Annotated[int, typer.Option(min=1, max=1_000, help="Messages in one call.")] = 500,
    window: Annotated[
        int, typer.Option(min=1, max=10_000, help="Maximum number of messages without an answer.")
    ] = 2_000,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent, and for how much.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send a message to each line of a file, and write the result of each.

    The whole file is checked before anything is sent. Running it again sends nothing twice.
    """
    from sms_cli.batch.batch_run import INTERRUPTED, RESUME, Pace  # noqa: PLC0415 - other commands start faster without it

    wording = _wording(text, text_file)
    pace = Pace(batch, max(window, batch), wait, patience)
    written = results or path.with_name(f"{path.stem}.results.csv")
    try:
        made = campaign or _name_of(path, wording)
        common = _campaign(made, wording, user, sender, priority, name, tuple(tag or ()), recipient_column)
        common = replace(common, expires=instant_option("--expires", expires), country=_country(country))
        code = asyncio.run(_send(path, common, written, pace, dry_run=dry_run, yes=yes, as_json=as_json))
    except KeyboardInterrupt:
        raise CommandError("stopped before the end, as you said", RESUME, INTERRUPTED) from None
    if code:
        raise typer.Exit(code)


def _name_of(path: Path, wording: str) -> str:
    from sms_cli.batch.batch_files import campaign_name  # noqa: PLC0415 - see above

    try:
        return campaign_name(path, wording)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", "check the name of the file") from None


async def _send(
    path: Path, campaign: Campaign, results: Path, pace: Pace, *, dry_run: bool, yes: bool, as_json: bool
) -> int:
    from sms_cli.batch import batch_report, batch_run  # noqa: PLC0415 - see above

    messaging = client_settings().messaging
    plan = await batch_run.make_plan(messaging, path, campaign, _max_units())
    if not as_json:
        batch_report.show_plan(path, campaign, plan)
    if dry_run:
        if as_json:
            print_json(batch_report.plan_record(campaign, plan))
        else:
            batch_report.say("Nothing was sent.")
        return 0
    batch_run.check_results(path, results, campaign)
    _confirm(batch_report.count_of(plan.rows), yes=yes)
    outcome = await batch_run.send_file(messaging, path, campaign, plan, results, pace)
    if as_json:
        print_json(outcome.record(campaign.name, results))
    else:
        batch_report.show_outcome(outcome, results)
    if outcome.obstacle is not None:
        raise CommandError(f"stopped before the end: {outcome.obstacle}", batch_run.RESUME)
    if outcome.interrupted:
        raise CommandError("stopped before the end, as you said", batch_run.RESUME, batch_run.INTERRUPTED)
    return outcome.exit_code


def _wording(text: str | None, file: Path | None) -> str:
    if (text is None) == (file is None):
        raise typer.BadParameter("give the text, either here or with --text-file", param_hint="--text")
    if file is None:
        return text or ""
    try:
        return file.read_bytes().decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="--text-file") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8 text", param_hint="--text-file") from None


def _campaign(  # noqa: PLR0917 - the options of the command
    made: str,
    wording: str,
    user: str,
    sender: str,
    priority: Lane,
    name: str | None,
    tags: tuple[str, ...],
    recipient_column: str,
) -> Campaign:
    """The options common to all lines, checked before any line is read."""
    from messaging_service.sending.domain.validation import MAX_MESSAGE_NAME, MAX_TAG  # noqa: PLC0415 - see above
    from messaging_service.shared.domain.fields import text_problem  # noqa: PLC0415 - see above
    from messaging_service.shared.domain.sender_id import sender_id_problem  # noqa: PLC0415 - see above
    from messaging_service.shared.domain.states import Priority  # noqa: PLC0415 - see above
    from sms_cli.batch.batch_files import Campaign  # noqa: PLC0415 - see above
    from sms_cli.batch.templates import parse_template  # noqa: PLC0415 - see above

    problems = [("--sender", sender_id_problem(sender))]
    problems += [("--user", identifier_problem(user)), ("--campaign", identifier_problem(made, MAX_CAMPAIGN))]
    problems += [("--tag", identifier_problem(tag, MAX_TAG)) for tag in tags]
    problems += [("--name", None if name is None else text_problem(name, MAX_MESSAGE_NAME))]
    for option, problem in problems:
        if problem:
            raise typer.BadParameter(problem, param_hint=option)
    template = parsed(parse_template, "--text", wording)
    lane = Priority.HIGH if priority is Lane.high else Priority.NORMAL
    return Campaign(made, template, user, sender, lane, name, tags, recipient_column)


def _country(text: str | None) -> str | None:
    from sms_cli.batch.recipients import parse_country  # noqa: PLC0415 - see above

    return None if text is None else parsed(parse_country, "--country", text)


def _max_units() -> int:
    """The most units a message may have: SMS_MAX_UNITS, as for messaging on this machine."""
    text = client_environment().get("SMS_MAX_UNITS")
    if text is None:
        return _DEFAULT_UNITS
    try:
        return integer(1, 20)(text)
    except ValueError as error:
        raise SettingsError(f"SMS_MAX_UNITS: {error}") from None


def _confirm(count: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to confirm; nothing was sent", "add --yes to send without asking")
    typer.confirm(f"Send {count}?", abort=True, err=True)
