"""`tukupay-sms accounts`: what an account has, and what an operator chooses for it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from service_kit.grpc.channel import open_channel
from service_kit.settings import Address
from sms_cli.shared.connections import readable_errors
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.terminal import print_json, print_record
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2_grpc

accounts = typer.Typer(help="Accounts: their balance, and what is chosen for them.", no_args_is_help=True)

_TIMEOUT_S = 20.0

User = Annotated[str, typer.Argument(metavar="USER_ID", help="The account, as in userId.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@accounts.command("show")
def show(user: User, *, as_json: AsJson = False) -> None:
    """Show an account."""
    _print(asyncio.run(_get(client_settings().messaging, user)), as_json=as_json)


@accounts.command("set")
def change(
    user: User,
    *,
    resend_unknown: Annotated[
        bool,
        typer.Option(
            "--resend-unknown/--no-resend-unknown",
            help="Send a message again by itself, once, when it stays unknown whether the carrier took it: "
            "two copies may arrive, and one is charged.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Change what is chosen for an account."""
    request = pb.UpdateAccountRequest(user_id=user, resend_unknown=resend_unknown)
    _print(asyncio.run(_update(client_settings().messaging, request)), as_json=as_json)


def record(account: pb.Account) -> dict[str, object]:
    """An account as JSON; amounts in KES."""
    return {
        "userId": account.user_id,
        "mode": pb.AccountMode.Name(account.mode).removeprefix("ACCOUNT_MODE_").lower(),
        "status": pb.AccountStatus.Name(account.status).removeprefix("ACCOUNT_STATUS_").lower(),
        "posted": kes(account.posted_micros),
        "held": kes(account.held_micros),
        "creditLimit": kes(account.credit_limit_micros),
        "createdAt": shown(account.created_time),
        "resendUnknown": account.resend_unknown,
    }


def _print(account: pb.Account, *, as_json: bool) -> None:
    if as_json:
        print_json(record(account))
    else:
        print_record(record(account) | {"resendUnknown": "yes" if account.resend_unknown else "no"})


async def _get(messaging: Address, user: str) -> pb.Account:
    async with open_channel(messaging) as channel:
        with readable_errors("messaging", messaging):
            stub = messaging_pb2_grpc.AccountServiceStub(channel)
            return (await stub.GetAccount(pb.GetAccountRequest(user_id=user), timeout=_TIMEOUT_S)).account


async def _update(messaging: Address, request: pb.UpdateAccountRequest) -> pb.Account:
    async with open_channel(messaging) as channel:
        with readable_errors("messaging", messaging):
            stub = messaging_pb2_grpc.AccountServiceStub(channel)
            return (await stub.UpdateAccount(request, timeout=_TIMEOUT_S)).account
