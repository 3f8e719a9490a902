"""`tukupay-sms privacy`: erases phones, sets how long texts are kept, wraps their keys anew."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import AsJson
from sms_cli.shared.service_calls import ask_messaging, messaging_stub
from sms_cli.shared.terminal import out, print_json, print_record
from tukupay.sms.messaging.v1 import privacy_pb2 as pb
from tukupay.sms.messaging.v1 import privacy_pb2_grpc

privacy = typer.Typer(help="Keys of texts, their retention, and the erasure of phones.", no_args_is_help=True)

ERASING_S: Final = 600.0
"""A phone may have had many messages, and all receipts are looked through."""
UNFINISHED: Final = 3
"""Exit code when something of the phone is still open."""


@privacy.command()
def erase(
    phone: Annotated[str, typer.Argument(help="The phone, with + and country code.")], *, as_json: AsJson = False
) -> None:
    """Erase a phone everywhere but in its opt-outs, which hold all the same. Repeating it is harmless.

    Messages that are open are sent or end as they would have: then the exit code is 3, and the command is to be
    repeated once they have ended.
    """
    answer = ask_messaging(
        privacy_pb2_grpc.PrivacyServiceStub,
        lambda stub: stub.ErasePhone(pb.ErasePhoneRequest(phone_number=phone)),
        deadline_s=ERASING_S,
    )
    record = {
        "messages": answer.messages,
        "receipts": answer.receipts,
        "inboundMessages": answer.inbound_messages,
        "counts": answer.counts,
        "suppressions": answer.suppressions,
        "openMessages": answer.open_messages,
        "waiting": answer.waiting,
    }
    if as_json:
        print_json(record)
    else:
        print_record(
            {
                "messages erased": str(answer.messages),
                "receipts erased": str(answer.receipts),
                "messages from the phone": str(answer.inbound_messages),
                "hourly counts": str(answer.counts),
                "opt-outs that now hold by a keyed hash": str(answer.suppressions),
                "messages still open": str(answer.open_messages),
                "other rows still being worked on": str(answer.waiting),
            }
        )
    if answer.open_messages or answer.waiting:
        raise typer.Exit(UNFINISHED)


@privacy.command()
def rotate(*, as_json: AsJson = False) -> None:
    """Wrap all data keys anew under the key-encryption key that comes first. Texts are not touched.

    Once it is done no data key needs the keys behind the first one any more, except in backups.
    """
    wrapped_by, rewrapped = asyncio.run(_rotate())
    if as_json:
        print_json({"wrappedBy": wrapped_by, "rewrapped": rewrapped})
    else:
        out.print(f"{rewrapped} data keys were wrapped anew; {wrapped_by} wraps all of them.", markup=False)


async def _rotate() -> tuple[str, int]:
    rewrapped = 0
    async with messaging_stub(client_settings().messaging, privacy_pb2_grpc.PrivacyServiceStub) as stub:
        while True:
            answer = await stub.RotateKeys(pb.RotateKeysRequest())
            rewrapped += answer.rewrapped
            if not answer.more:
                return answer.wrapped_by, rewrapped


@privacy.command()
def retention(
    user: Annotated[str, typer.Argument(help="The account.")],
    days: Annotated[int | None, typer.Option(min=1, max=3_650, help="Days that texts are kept.")] = None,
    *,
    as_all: Annotated[bool, typer.Option("--as-all", help="Keep them as long as those of all accounts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set how long an account's texts, custom data and carriers' words are kept."""
    if (days is None) != as_all:
        raise typer.BadParameter("give either --days or --as-all")
    answer = ask_messaging(
        privacy_pb2_grpc.PrivacyServiceStub,
        lambda stub: stub.SetTextRetention(pb.SetTextRetentionRequest(user_id=user, days=days)),
    )
    if as_json:
        print_json({"userId": user, "days": answer.days, "own": answer.own})
        return
    whose = "" if answer.own else ", as for all accounts"
    how_long = f"for {answer.days} days" if answer.days else "for ever"
    out.print(f"Texts of {user} are kept {how_long}{whose}.", markup=False)
