"""`tukupay-sms send`: one SMS, and what became of it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import AsJson, Lane, instant_option
from sms_cli.shared.terminal import out, print_json, print_record


def send(  # noqa: PLR0917 - typer calls it by keyword
    to: Annotated[str, typer.Option(help="The recipient, with + and country code.")],
    text: Annotated[str, typer.Option(help="The text.")],
    user: Annotated[str, typer.Option(help="The account that pays.")] = "user123",
    sender: Annotated[str, typer.Option(help="The sender that the phone shows.")] = "TUKUPAY",
    priority: Annotated[Lane, typer.Option(help="High goes first.")] = Lane.normal,
    at: Annotated[str | None, typer.Option(help="When, for instance 2026-01-31T08:00:00Z.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it expires; it is not sent from then on and costs nothing.")
    ] = None,
    message_id: Annotated[
        str | None, typer.Option(help="Idempotency key: repeating the command with it has no further effect.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send one SMS through messaging and show its outbox entry; exits with 1 when it failed."""
    from sms_cli.outbox.send_one import PRIORITIES, advice, entry_record, has_failed, send_sms  # noqa: PLC0415 - loaded when it is needed

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
