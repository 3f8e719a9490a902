"""`tukupay-sms tokens`: tokens of services and operators, for the files of identities."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from service_kit.access import bearer_tokens
from service_kit.access.identities import IdentitiesError, read_identities
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.options import AsJson
from sms_cli.shared.terminal import print_json

tokens = typer.Typer(help="Tokens of services and operators.", no_args_is_help=True)


class Kind(StrEnum):
    """Whose token it is."""

    workload = "workload"
    operator = "operator"


@tokens.callback()
def group() -> None:
    """Tokens of services and operators; API keys of accounts are others."""


@tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The service or person, for instance gateway or jane.")],
    *,
    kind: Annotated[Kind, typer.Option(help="Whether it is a service or a person.")] = Kind.operator,
    scope: Annotated[list[str], typer.Option(help="What it may do; several times for more, * for all.")] = ["*"],  # noqa: B006
    account: Annotated[
        list[str] | None, typer.Option(help="An account that it may act for, several times for more; all if none.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, and the entry that lets it in.

    The token is printed here and kept nowhere. The entry goes into the file that PRICING_IDENTITIES_FILE and
    MESSAGING_IDENTITIES_FILE name; services read it within 10 seconds. To replace a token, add the new SHA-256 beside
    the old one, hand the token over, and take the old one out.
    """
    token = bearer_tokens.generate()
    entry = _entry(name, kind, scope, account, token.sha256)
    try:
        read_identities(entry)
    except IdentitiesError as error:
        raise CommandError(str(error), "correct the option and try again; nothing was made") from None
    if as_json:
        print_json({"token": token.text, "sha256": token.sha256, "entry": entry})
        return
    print(f"{token.text}\n\n{entry}", end="")  # noqa: T201 - to be copied as it is


def _entry(name: str, kind: Kind, scopes: list[str], accounts: list[str] | None, sha256: str) -> str:
    """A table of a file of identities. JSON's texts and lists are TOML's, too."""
    fields: dict[str, object] = {
        "name": name,
        "kind": kind.value,
        "token_sha256": [sha256],
        "scopes": scopes,
        "accounts": accounts or "all",
    }
    lines = (f"{field} = {json.dumps(value, ensure_ascii=False)}\n" for field, value in fields.items())
    return "[[identity]]\n" + "".join(lines)
