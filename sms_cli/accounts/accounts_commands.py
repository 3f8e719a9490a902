"""`tukupay-sms accounts`: what an account has, and what an operator chooses for it."""

from __future__ import annotations

from typing import Annotated

import typer

from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.options import AsJson
from sms_cli.shared.service_calls import ask_messaging
from sms_cli.shared.terminal import print_json, print_record
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1.accounts_pb2_grpc import AccountServiceStub

accounts = typer.Typer(
    help="Accounts: open, list, balances, terms, statements, payments, corrections, refunds.", no_args_is_help=True
)

User = Annotated[str, typer.Argument(metavar="USER_ID", help="The account, as in userId.")]


@accounts.command("show")
def show(user: User, *, as_json: AsJson = False) -> None:
    """Show an account."""
    request = pb.GetAccountRequest(user_id=user)
    answer: pb.GetAccountResponse = ask_messaging(AccountServiceStub, lambda stub: stub.GetAccount(request))
    _print(answer.account, as_json=as_json)


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
    """Change settings of an account."""
    request = pb.UpdateAccountRequest(user_id=user, resend_unknown=resend_unknown)
    answer: pb.UpdateAccountResponse = ask_messaging(AccountServiceStub, lambda stub: stub.UpdateAccount(request))
    _print(answer.account, as_json=as_json)


def record(account: pb.Account) -> dict[str, object]:
    """An account as JSON; amounts in KES."""
    return {
        "userId": account.user_id,
        "mode": enum_word(pb.AccountMode, account.mode),
        "status": enum_word(pb.AccountStatus, account.status),
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
