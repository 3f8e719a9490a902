"""The sandbox's HTTP side: a page to look at, and the same as JSON."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from html import escape
from itertools import islice
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox_carriers.smpp.behaviours import BEHAVIOURS
from sandbox_carriers.smpp.network import Network
from sandbox_carriers.smpp.phones import PhoneMessage

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 10_000
PHONES_SHOWN: Final = 50
MESSAGES_SHOWN: Final = 10

# Asks for the page again and takes over what has changed, so that nothing folds or moves that somebody reads.
_SCRIPT: Final = """
"use strict";
async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["counts", "phones"]) {
      const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
      if (answer.ok && fresh && old.innerHTML !== fresh.innerHTML) old.replaceWith(fresh);
    }
  } catch {
    // The carrier is away; the page shows what was known, and goes on when it is back.
  }
}
setInterval(renew, 2000);
"""
_SCRIPT_SOURCE: Final = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()

# Nothing but the page's own style and script: a text that a phone received can load and run nothing.
_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_SCRIPT_SOURCE}'; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STYLE: Final = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
.counts{opacity:.75}
.sms{border:1px solid #8886;border-radius:.7rem;padding:.5rem .8rem;margin:.4rem 0}
.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2rem 0}
.meta{font-size:.82rem;opacity:.75}
.lost{border-left:.3rem solid #c33}.arrived{border-left:.3rem solid #384}
.wide{overflow-x:auto}th{text-align:left;padding:.15rem .8rem .15rem 0}
table{border-collapse:collapse;font-size:.9rem}td{padding:.15rem .8rem .15rem 0;vertical-align:top}
"""


class Written(msgspec.Struct, forbid_unknown_fields=True):
    """What a phone is to write."""

    text: str
    to: str | None = None
    """The sender id; whoever wrote to the phone last without it."""


def sandbox_app(network: Network, stats: Callable[[], dict[str, int]]) -> Starlette:
    """The HTTP application.

    Requests under a foreign host name are refused: a web page that points its name at this machine must
    not read what the phones received.
    """

    async def page(_: Request) -> Response:
        return HTMLResponse(_page(network, stats()), headers=_HEADERS)

    async def phones(_: Request) -> Response:
        return _json(
            {
                "phones": [
                    {
                        "number": f"+{digits}",
                        "messages": len(messages),
                        "lastReceivedAt": messages[0].as_json()["receivedAt"],
                    }
                    for digits, messages in network.phones.by_phone().items()
                ]
            }
        )

    async def phone(request: Request) -> Response:
        digits = _digits(request.path_params["number"])
        messages = network.phones.of_phone(digits)
        return _json({"number": f"+{digits}", "messages": [message.as_json() for message in messages]})

    async def messages(request: Request) -> Response:
        if request.method == "DELETE":
            network.clear()
            return Response(status_code=204, headers=_HEADERS)
        limit = request.query_params.get("limit", str(DEFAULT_LIMIT))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_LIMIT):
            return _json({"error": f"limit is not a whole number from 1 to {MAX_LIMIT}"}, 400)
        return _json({"messages": [message.as_json() for message in network.phones.newest(int(limit))]})

    async def counts(_: Request) -> Response:
        return _json(stats())

    return Starlette(
        routes=[
            Route("/", page),
            Route("/phones", phones),
            Route("/phones/{number}", phone),
            Route("/phones/{number}/messages", _writing(network), methods=["POST"]),
            Route("/messages", messages, methods=["GET", "DELETE"]),
            Route("/stats", counts),
        ],
        middleware=[
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=["localhost", "127.0.0.1", "::1", "[::1]"],
                www_redirect=False,
            )
        ],
    )


def _writing(network: Network) -> Callable[[Request], Awaitable[Response]]:
    async def write(request: Request) -> Response:
        # A form of a foreign page cannot declare JSON, so no page makes phones write unseen.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _json({"error": "send JSON, declared as application/json"}, 415)
        try:
            wanted = msgspec.json.decode(await request.body(), type=Written)
            reply = network.write(_digits(request.path_params["number"]), wanted.to, wanted.text)
        except (ValueError, msgspec.DecodeError) as error:
            return _json({"error": str(error)}, 400)
        return _json({"phone": f"+{reply.phone}", "to": reply.to, "text": reply.text}, 202)

    return write


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, _HEADERS, "application/json")


def _digits(number: str) -> str:
    return number.strip().removeprefix("+")


def _page(network: Network, stats: dict[str, int]) -> str:
    sections = [
        f"<h2>+{escape(digits)}</h2>" + "".join(map(_sms, islice(messages, MESSAGES_SHOWN)))
        for digits, messages in islice(network.phones.by_phone().items(), PHONES_SHOWN)
    ]
    counts = ", ".join(f"{escape(_words(name))} {value:,}" for name, value in stats.items())
    phones = len(network.phones.by_phone())
    table = "".join(
        f"<tr><td>+{b.number}</td><td>[sandbox:{b.name}]</td><td>{escape(b.effect)}</td></tr>" for b in BEHAVIOURS
    )
    head = '<tr><th scope="col">number</th><th scope="col">or in the text</th><th scope="col">what happens</th></tr>'
    limits = (
        f"{min(phones, PHONES_SHOWN)} of {phones:,} phones, the last one first, with their last {MESSAGES_SHOWN} SMS."
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Sandbox carrier</title><style>{_STYLE}</style></head><body><main>"
        "<h1>Sandbox carrier: what the phones received</h1>"
        f'<p class="counts" id="counts">{counts}</p><div id="phones">'
        + (
            f"<p>{limits}</p>{''.join(sections)}"
            if sections
            else "<p>Nothing yet. Send an SMS and it shows up here.</p>"
        )
        + "</div><details><summary>Numbers that misbehave on purpose</summary>"
        f'<div class="wide"><table><thead>{head}</thead><tbody>{table}</tbody></table></div></details>'
        f"</main><script>{_SCRIPT}</script></body></html>"
    )


def _words(name: str) -> str:
    """`receiptsSent` as receipts sent."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)


def _sms(message: PhoneMessage) -> str:
    at = datetime.fromtimestamp(message.received_at_s, UTC).strftime("%H:%M:%S UTC")
    missing = message.total - len(message.parts)
    facts = [
        at,
        f"from {message.sender}",
        f"{message.total} part{'s' if message.total > 1 else ''}",
        message.state if message.state == "accepted" else f"{message.state}: {message.status}",
    ]
    if message.receipt:
        facts.append(f"receipt {message.receipt}")
    if missing and message.state == "accepted":
        facts.append(f"{missing} still missing")
    kind = "arrived" if message.is_on_phone else "lost"
    return (
        f'<div class="sms {kind}"><div class="meta">{escape(" · ".join(facts))}</div>'
        f'<div class="text">{escape(message.text)}</div></div>'
    )
