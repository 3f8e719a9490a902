"""`tukupay-sms keys`: makes, lists, shows, rotates and revokes API keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from google.protobuf.duration_pb2 import Duration

from service_kit.access.api_key import is_key, is_key_id
from service_kit.grpc.timestamps import to_timestamp
from sms_cli.keys.key_records import key_record, option_of_key, print_key, print_keys
from sms_cli.keys.key_times import parse_end, parse_length
from sms_cli.shared.enum_words import enum_words
from sms_cli.shared.kes_amounts import micros, parse_kes
from sms_cli.shared.options import AsJson, parsed
from sms_cli.shared.service_calls import ask_messaging
from sms_cli.shared.terminal import out, print_json
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb
from tukupay.sms.messaging.v1.access_pb2_grpc import AccessServiceStub

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.access_pb2_grpc import AccessServiceAsyncStub

R = TypeVar("R")
V = TypeVar("V")

keys = typer.Typer(help="API keys: create, list, show, rotate, revoke.", no_args_is_help=True)

MODES = enum_words(common.AccessMode)
STATUSES = enum_words(pb.KeyStatus)
NOT_SEEN_AGAIN = "Keep it in a safe place now: it is not seen again, here or anywhere else."

_PAGE = 500

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, for instance tk_live_4fQ2bT9x.")]


@keys.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="What it is for, for instance the name of a server.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, such as sms:send; repeatable.")],
    account: Annotated[list[str] | None, typer.Option(help="An account that it may act for; repeatable.")] = None,
    mode: Annotated[str, typer.Option(help="live, or test: nothing is really sent, and nothing is charged.")] = "live",
    network: Annotated[
        list[str] | None,
        typer.Option(help="A network that it is valid from, such as 10.0.0.0/8; repeatable, any if absent."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 2027-01-01T00:00:00+03:00, or 90d from now on; never if absent.")
    ] = None,
    app: Annotated[str | None, typer.Option(help="The app through which it sends, for pricing.")] = None,
    messages_per_minute: Annotated[int | None, typer.Option(help="The most messages in a minute.")] = None,
    daily_spend: Annotated[str | None, typer.Option(help="The most KES in a day of Nairobi.")] = None,
    all_accounts: Annotated[bool, typer.Option("--all-accounts", help="It may act for every account.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key, and print it this once."""
    if not account and not all_accounts:
        raise typer.BadParameter("is missing; name an account, or say --all-accounts", param_hint="--account")
    terms = pb.KeyTerms(
        name=name,
        mode=_word(MODES, mode, "--mode"),
        accounts=account or (),
        all_accounts=all_accounts,
        app_id=app,
        scopes=scope,
        networks=network or (),
        expires_time=None if expires is None else to_timestamp(parsed(parse_end, "--expires", expires)),
        messages_per_minute=messages_per_minute,
        daily_spend_micros=None if daily_spend is None else micros(parsed(parse_kes, "--daily-spend", daily_spend)),
    )
    request = pb.CreateKeyRequest(terms=terms)
    made: pb.CreateKeyResponse = _ask(lambda stub: stub.CreateKey(request))
    if as_json:
        print_json({"secret": made.secret, "key": key_record(made.key)})
        return
    _print_secret(made.secret)
    print_key(made.key)


@keys.command("list")
def list_keys(
    account: Annotated[str | None, typer.Option(help="Only keys that may act for this account by name.")] = None,
    status: Annotated[str | None, typer.Option(help=f"Only keys that are {', '.join(STATUSES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most rows to show.")] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """Show keys, newest first, also those that have ended."""
    wanted = pb.ListKeysRequest(
        user_id=account,
        status=pb.KEY_STATUS_UNSPECIFIED if status is None else _word(STATUSES, status, "--status"),
    )
    found = _ask(lambda stub: _pages(stub, wanted, limit))
    if as_json:
        print_json([key_record(key) for key in found])
    elif found:
        print_keys(found)
    else:
        out.print("There is no such key.", markup=False)


@keys.command()
def show(key: KeyId, *, as_json: AsJson = False) -> None:
    """Show what a key may do, and where it stands."""
    request = pb.GetKeyRequest(key_id=_id(key))
    answer: pb.GetKeyResponse = _ask(lambda stub: stub.GetKey(request))
    _print(answer.key, as_json=as_json)


@keys.command()
def rotate(
    key: KeyId,
    overlap: Annotated[
        str, typer.Option(help="How long the old key stays valid: 24h, 7d, 0 for not at all; 30d at most.")
    ] = "24h",
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key that may do the same, and print it this once; the old one ends after a while."""
    length: timedelta = parsed(parse_length, "--overlap", overlap)
    request = pb.RotateKeyRequest(key_id=_id(key), overlap=Duration(seconds=round(length.total_seconds())))
    rotated: pb.RotateKeyResponse = _ask(lambda stub: stub.RotateKey(request))
    if as_json:
        document = {"secret": rotated.secret, "key": key_record(rotated.key), "replaced": key_record(rotated.replaced)}
        print_json(document)
        return
    _print_secret(rotated.secret)
    print_key(rotated.key)
    until = shown(rotated.replaced.terms.expires_time)
    out.print(f"{rotated.replaced.key_id} is valid until {until}: use the new key everywhere before.", markup=False)


@keys.command()
def revoke(key: KeyId, *, as_json: AsJson = False) -> None:
    """End a key: it is refused everywhere within 2 seconds. Again is harmless."""
    request = pb.RevokeKeyRequest(key_id=_id(key))
    answer: pb.RevokeKeyResponse = _ask(lambda stub: stub.RevokeKey(request))
    if as_json:
        print_json(key_record(answer.key))
        return
    when, by = shown(answer.key.revoked_time), answer.key.revoked_by
    out.print(f"{answer.key.key_id} is revoked since {when}, by {by}.", markup=False)


async def _pages(stub: AccessServiceAsyncStub, wanted: pb.ListKeysRequest, limit: int) -> list[pb.ApiKey]:
    found: list[pb.ApiKey] = []
    while True:
        wanted.page_size = min(limit - len(found), _PAGE)
        page = await stub.ListKeys(wanted)
        found += page.keys
        if len(found) >= limit or not page.next_page_token:
            return found
        wanted.page_token = page.next_page_token


def _print(key: pb.ApiKey, *, as_json: bool) -> None:
    if as_json:
        print_json(key_record(key))
    else:
        print_key(key)


def _print_secret(secret: str) -> None:
    out.print(secret, markup=False)
    out.print(NOT_SEEN_AGAIN)
    out.print()


def _id(text: str) -> str:
    """The id of a key; a whole key is not sent anywhere."""
    if is_key(text) and not is_key_id(text) and len(text) > len("tk_live_4fQ2bT9x"):
        raise typer.BadParameter("is a whole key, or more than an id; give its first 16 characters", param_hint="ID")
    return text


def _word(words: dict[str, V], text: str, option: str) -> V:
    if text not in words:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(words)}", param_hint=option)
    return words[text]


def _ask(call: Callable[[AccessServiceAsyncStub], Awaitable[R]]) -> R:
    return ask_messaging(AccessServiceStub, call, named=option_of_key)
