"""What to try once everything is up."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

from sms_cli.local.home import Home
from sms_cli.shared.local_settings import LocalSettings

NAME = "tukupay-sms"
RECIPIENT = "+254712345678"
_REQUEST = {
    "userId": "user123",
    "recipientPhoneNumber": RECIPIENT,
    "message": "Your OTP is 123456. Please use this code to verify your account.",
    "senderId": "TUKUPAY",
    "messageName": "OTP Verification",
    "messageId": "msg123",
    "priority": "normal",
    "tags": ["notification", "OTP"],
    "customData": {"purpose": "Account Verification", "linkedTransactionId": "txn789"},
}


def curl_of_first_sms(url: str, authorities: Path | None = None, *, with_key: bool = False) -> str:
    """A command to paste into a shell; `authorities` is the file of those of the gateway's certificate.

    `with_key`: shows the API key in the variable KEY of the shell.
    """
    body = json.dumps(_REQUEST, indent=2)
    curl = "curl -sS" if authorities is None else f"curl -sS --cacert {shlex.quote(str(authorities))}"
    key = ' -H "Authorization: Bearer $KEY"' if with_key else ""
    return f"{curl} -X POST {url}/api/sms/send{key} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"


def program() -> str:
    """The command that runs this program here: its name when PATH leads to it, otherwise its path."""
    own = Path(sys.executable).parent / NAME
    found = shutil.which(NAME)
    if found is not None and Path(found).absolute() == own.absolute():
        return NAME
    # Not resolved, because a virtual environment recognises itself by its link to Python.
    own = own.absolute()
    return shlex.quote(str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own))


def next_steps(settings: LocalSettings, home: Home, *, needs_key: bool = False) -> str:
    """The first SMS and where to look next, as plain text. `needs_key`: whether the gateway asks for credentials."""
    name = program()
    user = _REQUEST["userId"]
    key = f'KEY=$({name} keys create --name "first key" --account {user} --scope sms:send | head -1)\n\n'
    places = {
        f"{settings.gateway_url}/docs": "the API",
        f"http://{settings.sandbox_http}/": "what the phones of the sandbox received",
        f"{name} phone {RECIPIENT}": "the same, at the terminal",
        f"{name} status": "how all parts are",
        f"http://{settings.messaging_metrics}/metrics": "the figures of messaging, for Prometheus",
        f"http://{settings.gateway_metrics}/metrics": "those of the gateway",
        f"http://{settings.pricing_metrics}/metrics": "those of pricing",
        str(home.logs): "the logs",
    }
    width = max(map(len, places))
    where = "\n".join(f"  {place:<{width}}  {shows}" for place, shows in places.items())
    return f"""\
Send a first SMS:

{key if needs_key else ""}{curl_of_first_sms(settings.gateway_url, settings.tls.authorities, with_key=needs_key)}

Then look at
{where}

Ctrl-C stops everything; the data stays."""
