"""`tukupay-sms accounts open`, `terms`, `top-up`, `adjust`, `refund` and `verify`."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import aio
from rich.markup import escape

from service_kit.grpc.grpc_errors import from_rpc_error
from sms_cli.accounts.account_list import list_accounts
from sms_cli.accounts.account_words import MODES, STANDINGS, Mode, Standing
from sms_cli.accounts.billing_records import entry_record, fault_record, terms_record
from sms_cli.accounts.limit_options import (
    Countries,
    Daily,
    Minute,
    Otps,
    PumpingOption,
    Recipient,
    Window,
    named,
    read_limits,
)
from sms_cli.accounts.statement_command import statement
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.kes_amounts import kes, micros, parse_kes
from sms_cli.shared.options import AsJson, parsed
from sms_cli.shared.service_calls import ask_messaging
from sms_cli.shared.terminal import out, print_json, print_record
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1.accounts_pb2_grpc import AccountServiceStub

billing_commands = typer.Typer()
billing_commands.command("list")(list_accounts)
billing_commands.command("statement")(statement)

_VERIFY_DEADLINE_S = 900.0


User = Annotated[str, typer.Argument(metavar="USER_ID", help="The account, as in userId.")]
By = Annotated[str | None, typer.Option(help="Who books it, for the record; your user name if absent.")]
Credit = Annotated[str | None, typer.Option(help="KES by which a prepaid account may go below zero.")]


@billing_commands.command("open")
def open_account(  # noqa: PLR0917 - typer calls it by keyword
    user: User,
    mode: Annotated[Mode, typer.Option(help="prepaid sends from its balance, postpaid is billed later.")],
    credit_limit: Credit = None,
    daily_spend: Daily = None,
    per_minute: Minute = None,
    per_recipient_hour: Recipient = None,
    per_recipient_window: Window = None,
    otps_per_recipient_window: Otps = None,
    countries: Countries = None,
    pumping: PumpingOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Open an account with its terms, before it sends."""
    given = {
        "daily_spend_micros": daily_spend,
        "messages_per_minute": per_minute,
        "messages_per_recipient_hour": per_recipient_hour,
        "messages_per_recipient_window": per_recipient_window,
        "otps_per_recipient_window": otps_per_recipient_window,
        "destinations": countries,
        "pumping": pumping,
    }
    request = pb.OpenAccountRequest(
        user_id=user,
        mode=MODES[mode],
        credit_limit_micros=_kes("--credit-limit", credit_limit) or 0,
        limits=read_limits(given),
    )
    answer: pb.OpenAccountResponse = ask_messaging(AccountServiceStub, lambda stub: stub.OpenAccount(request))
    _print_terms(answer.account, as_json=as_json)


@billing_commands.command("terms")
def terms(  # noqa: PLR0917 - typer calls it by keyword
    user: User,
    mode: Annotated[Mode | None, typer.Option(help="Change how it pays.")] = None,
    status: Annotated[Standing | None, typer.Option(help="Suspend, activate or close it; closing is for good.")] = None,
    credit_limit: Credit = None,
    daily_spend: Daily = None,
    per_minute: Minute = None,
    per_recipient_hour: Recipient = None,
    per_recipient_window: Window = None,
    otps_per_recipient_window: Otps = None,
    countries: Countries = None,
    pumping: PumpingOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the terms of an account with its balance and what is used of its limits, or change those that are given."""
    changes: dict[str, Any] = {}
    if mode is not None:
        changes["mode"] = MODES[mode]
    if status is not None:
        changes["status"] = STANDINGS[status]
    if credit_limit is not None:
        changes["credit_limit_micros"] = _kes("--credit-limit", credit_limit)
    given = {
        "daily_spend_micros": daily_spend,
        "messages_per_minute": per_minute,
        "messages_per_recipient_hour": per_recipient_hour,
        "messages_per_recipient_window": per_recipient_window,
        "otps_per_recipient_window": otps_per_recipient_window,
        "destinations": countries,
        "pumping": pumping,
    }
    paths = [*changes, *named(given)]
    if not paths:
        asked = pb.GetAccountRequest(user_id=user)
        found: pb.GetAccountResponse = ask_messaging(AccountServiceStub, lambda stub: stub.GetAccount(asked))
        _print_terms(found.account, as_json=as_json)
        return
    request = pb.UpdateAccountRequest(
        user_id=user,
        limits=read_limits(given),
        update_mask=FieldMask(paths=paths),
        **changes,
    )
    changed: pb.UpdateAccountResponse = ask_messaging(AccountServiceStub, lambda stub: stub.UpdateAccount(request))
    _print_terms(changed.account, as_json=as_json)


# As for `adjust` below, so that an amount below 0 is refused as an amount and not as an unknown option.
@billing_commands.command("top-up", context_settings={"ignore_unknown_options": True})
def top_up(
    user: User,
    amount: Annotated[str, typer.Argument(help="KES, for instance 500.")],
    reference: Annotated[
        str, typer.Option(help="The payment's reference, such as an M-PESA receipt number; it is booked once.")
    ],
    by: By = None,
    override: Annotated[
        str | None,
        typer.Option(
            "--override-reference",
            metavar="REASON",
            help="Book it even though the reference is on record: why it is another payment, for the record.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Book a payment."""
    paid = _kes("AMOUNT", amount) or 0
    if paid <= 0:
        problem = f"{amount} is not above 0; `accounts adjust` takes money away, with a reason"
        raise typer.BadParameter(problem, param_hint="AMOUNT")
    request = pb.TopUpRequest(
        user_id=user,
        amount_micros=paid,
        reference=reference,
        booked_by=_who(by),
        override_reason=override,
    )
    try:
        answer: pb.TopUpResponse = ask_messaging(AccountServiceStub, lambda stub: stub.TopUp(request))
    except CommandError as error:
        raise _reused(error) from error
    _print_booked(answer.entry, answer.account, replayed=answer.replayed, as_json=as_json)


# An amount below 0 looks like an unknown option; ignoring unknown options lets it be read as the argument.
@billing_commands.command("adjust", context_settings={"ignore_unknown_options": True})
def adjust(
    user: User,
    amount: Annotated[str, typer.Argument(help="KES to add; -5 takes 5 away.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    by: By = None,
    reference: Annotated[
        str | None, typer.Option(help="Idempotency key: repeating the command with it has no further effect.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Book a correction."""
    request = pb.AdjustRequest(
        user_id=user,
        amount_micros=_kes("AMOUNT", amount) or 0,
        reason=reason,
        booked_by=_who(by),
        reference=reference,
    )
    answer: pb.AdjustResponse = ask_messaging(AccountServiceStub, lambda stub: stub.Adjust(request))
    _print_booked(answer.entry, answer.account, replayed=answer.replayed, as_json=as_json)


@billing_commands.command("refund")
def refund(
    outbox_id: Annotated[str, typer.Argument(metavar="OUTBOX_ID", help="The message.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    attempt: Annotated[
        int | None,
        typer.Option(min=1, help="Only the charge of this attempt; 1 is the first, and each resend is one more."),
    ] = None,
    by: By = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Refund a message: every charge that is not refunded yet, or that of one attempt."""
    request = pb.RefundSmsRequest(outbox_id=outbox_id, reason=reason, booked_by=_who(by), attempt=attempt)
    answer: pb.RefundSmsResponse = ask_messaging(AccountServiceStub, lambda stub: stub.RefundSms(request))
    records = [entry_record(entry) for entry in answer.entries]
    if as_json:
        print_json({"entry": records[-1], "entries": records, "replayed": answer.replayed})
        return
    for number, record in enumerate(records):
        if number:
            out.print()
        print_record(record | {"replayed": "yes" if answer.replayed else None})


@billing_commands.command("verify")
def verify(
    user: Annotated[str | None, typer.Option(help="Only this account; all if absent.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Recompute the books from messages and entries; exits with 1 when they do not add up."""
    request = pb.VerifyBooksRequest(user_id=user)
    answer: pb.VerifyBooksResponse = ask_messaging(
        AccountServiceStub, lambda stub: stub.VerifyBooks(request), deadline_s=_VERIFY_DEADLINE_S
    )
    if as_json:
        print_json(
            {
                "accounts": answer.accounts,
                "messages": answer.messages,
                "entries": answer.entries,
                "faults": [fault_record(fault) for fault in answer.faults],
                "sharedReferences": [
                    [entry_record(entry) for entry in shared.entries] for shared in answer.shared_references
                ],
            }
        )
    else:
        looked = f"{answer.accounts:,} accounts, {answer.messages:,} messages and {answer.entries:,} ledger entries"
        out.print(f"looked at {looked}")
        for fault in answer.faults:
            record = fault_record(fault)
            where = f"{record['userId']} {record['outboxId'] or ''}".strip()
            out.print(
                f"[red]{escape(where)}[/]: {record['rule']}: on record {record['recorded']}, should be "
                f"{record['expected']}"
            )
        for shared in answer.shared_references:
            _show_shared(shared)
    if answer.faults:
        raise CommandError(
            f"the books do not add up: {len(answer.faults)} faults"
            + (" or more" if len(answer.faults) >= 1_000 else ""),
            "stop anything that writes to the database beside the services, and compare with the last good backup",
        )
    if not as_json:
        out.print("[green]the books add up[/]")


def _reused(error: CommandError) -> CommandError:
    """The error, extended by where a reused reference is on record.

    Callers of the gateway do not learn that, because the entry may belong to another account.
    """
    call = error.__cause__
    refusal = from_rpc_error(call) if isinstance(call, aio.AioRpcError) else None
    if refusal is None or refusal.reason != "REFERENCE_REUSED" or "account" not in refusal.metadata:
        return error
    return CommandError(
        f"{error}\n  it is entry {refusal.metadata['entry_id']} of account {refusal.metadata['account']}",
        "compare the two with `tukupay-sms accounts statement`; if this is another payment, repeat the command with "
        "--override-reference and the reason",
        reason=error.reason,
    )


def _show_shared(shared: pb.SharedReference) -> None:
    """Prints payments that may be the same one, booked twice. The books are right either way."""
    payments = [entry_record(entry) for entry in shared.entries]
    shown = ", ".join(
        f"KES {each['amount']} to {each['userId']} as {each['reference']} (entry {each['entryId']}"
        + (f", {each['reason']})" if each["reason"] else ")")
        for each in payments
    )
    out.print(f"[yellow]one reference, {len(payments)} payments[/]: {escape(shown)}")


def _print_terms(account: pb.Account, *, as_json: bool) -> None:
    (print_json if as_json else print_record)(terms_record(account))


def _print_booked(entry: pb.LedgerEntry, account: pb.Account, *, replayed: bool, as_json: bool) -> None:
    if as_json:
        print_json({"entry": entry_record(entry), "account": terms_record(account), "replayed": replayed})
        return
    print_record(entry_record(entry))
    out.print(f"\n{'booked before' if replayed else 'booked'}; the balance is KES {kes(account.posted_micros)}")


def _kes(option: str, text: str | None) -> int | None:
    return None if text is None else micros(parsed(parse_kes, option, text))


def _who(by: str | None) -> str:
    return getpass.getuser() if by is None else by
