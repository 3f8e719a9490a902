"""Posts through apprise under the guard, and says what would have left for which host."""

from __future__ import annotations

import json
import logging
import socket
import sys
from typing import Any

import requests

from messaging_service.notices.channels.apprise_caller import AppriseCaller, Rules
from messaging_service.notices.channels.guard import Guard

sent: list[dict[str, Any]] = []


def keep(_self: object, request: requests.PreparedRequest, **options: Any) -> requests.Response:
    """Stands where a request leaves for the network."""
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    rules = {"verify": options["verify"], "proxies": dict(options["proxies"])}
    sent.append({"method": request.method, "url": request.url, "body": body, **rules})
    raise requests.exceptions.ConnectionError("kept")


def public(_host: object, port: int | None, **_options: Any) -> list[Any]:
    """An address for every name, without asking any network."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", port or 0))]


def main() -> None:
    logging.disable(logging.CRITICAL)
    asked = json.loads(sys.stdin.read())
    rules = Rules.of({"services": asked["services"], "networks": [], "relay": None})
    guard = Guard(())
    caller = AppriseCaller(rules, guard)
    requests.adapters.HTTPAdapter.send = keep  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = public  # type: ignore[assignment]  # it takes what it is asked with here
    guard.install()
    answers: dict[str, Any] = {}
    for url in asked["urls"]:
        sent.clear()
        checked = caller.answer({"do": "check", "url": url})
        posted = caller.answer({"do": "post", "url": url, "title": "TukuPay SMS: test (a)", "body": "first\nsecond"})
        answers[url] = {"checked": checked, "posted": posted, "sent": list(sent)}
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
