"""`tukupay-sms phone`: what the phones of the sandbox carrier received."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rich.table import Table

from service_kit.settings import Address
from sms_cli.local.probes import http_get
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.terminal import cell, out, print_table

_TIMEOUT_S = 5.0
PHONES_SHOWN = 50
_NOTHING = "nothing yet; send an SMS and it shows up here (the sandbox forgets when it is stopped)"


def fetch_phones(sandbox: Address, number: str | None) -> Any:  # noqa: ANN401 - a JSON document
    """The sandbox's record of all phones, or of one."""
    path = "/phones" if number is None else f"/phones/{quote(number, safe='+')}"
    try:
        status, body = http_get(sandbox, path)
    except OSError as error:
        raise _no_answer(sandbox) from error
    if status != http.client.OK:
        raise CommandError(
            f"the sandbox carrier answers {status} for {number or 'its phones'}",
            "write the number with + and country code, for instance +254712345678",
        )
    return json.loads(body)


def write(sandbox: Address, number: str, to: str | None, text: str) -> str:
    """Lets a phone write to a sender id, by default the last that wrote to it; gives that sender id."""
    connection = http.client.HTTPConnection(sandbox.host, sandbox.port, timeout=_TIMEOUT_S)
    try:
        path = f"/phones/{quote(number, safe='+')}/messages"
        connection.request("POST", path, json.dumps({"text": text, "to": to}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        document = json.loads(answer.read())
    except OSError as error:
        raise _no_answer(sandbox) from error
    finally:
        connection.close()
    if answer.status != http.client.ACCEPTED:
        raise CommandError(f"the phone cannot write that: {document['error']}", "correct it and try again")
    return str(document["to"])


def _no_answer(sandbox: Address) -> CommandError:
    return CommandError(
        f"the sandbox carrier does not answer at {sandbox}",
        "start it with `tukupay-sms up`, or set SANDBOX_HTTP_ADDRESS",
    )


def show_phones(document: Mapping[str, Any]) -> None:
    """Prints one line for each phone, the one with the latest message first."""
    if not document["phones"]:
        out.print(_NOTHING, markup=False)
        return
    table = Table("phone", "messages", "last received")
    phones = document["phones"]
    for phone in phones[:PHONES_SHOWN]:
        table.add_row(cell(phone["number"]), cell(phone["messages"]), cell(phone["lastReceivedAt"]))
    print_table(table)
    if len(phones) > PHONES_SHOWN:
        out.print(f"and {len(phones) - PHONES_SHOWN:,} phones more; --json lists all")
    out.print("`tukupay-sms phone NUMBER` shows the messages of one.", markup=False)


def show_messages(document: Mapping[str, Any]) -> None:
    """Prints the messages of one phone, newest first, and why some did not arrive."""
    if not document["messages"]:
        out.print(f"{document['number']}: {_NOTHING}", markup=False)
        return
    table = Table("received", "from", "text", "parts", "state", title=cell(document["number"]))
    for message in document["messages"]:
        taken = message["state"] == "accepted"
        state = (message["receipt"] or "accepted") if taken else f"{message['state']}: {message['status']}"
        parts = f"{message['partsReceived']} of {message['parts']}"
        table.add_row(*map(cell, (message["receivedAt"], message["sender"], message["text"], parts, state)))
    print_table(table, wraps={"text"})
