"""Calls apprise, and overrides what a URL may not choose. Imported by the child process only."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType
from apprise.plugins import url_to_dict

from messaging_service.notices.channels.guard import Guard
from messaging_service.notices.channels.witness import Witness
from messaging_service.notices.domain.channels import NEVER, WELL_KNOWN
from messaging_service.notices.domain.targets import Network, is_outward

NAME: Final = "TukuPay SMS"
CONNECT_S: Final = 10.0
_REFUSED_OPTIONS: Final = frozenset(
    {
        "attach",
        "cto",
        "file",
        "optional",
        "redirect",
        "retry",
        "rto",
        "store",
        "template",
        "tz",
        "verify",
        "wait",
    }
)
"""Options by which a URL would read files, weaken TLS, follow redirects, take longer, or call a failure none."""


@dataclass(frozen=True, slots=True)
class Relay:
    """The operator's mail relay."""

    host: str
    port: int
    mode: str
    """`insecure`, `starttls` or `ssl`, as apprise calls it."""
    user: str
    password: str
    sender: str
    """The From address."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the service that started the child configured."""

    services: frozenset[str]
    networks: tuple[Network, ...]
    relay: Relay | None

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Rules:
        """The rules as the first line gives them."""
        relay = configuration["relay"]
        return cls(
            frozenset(configuration["services"]) - NEVER,
            tuple(ipaddress.ip_network(text) for text in configuration["networks"]),
            None if relay is None else Relay(**relay),
        )


class AppriseCaller:
    """Answers the questions of the service. Never raises for what a target does."""

    def __init__(self, rules: Rules, guard: Guard) -> None:
        self._rules = rules
        self._guard = guard
        self._witness = Witness()
        self._asset = AppriseAsset(
            app_id=NAME,
            app_desc=NAME,
            app_url="",
            async_mode=False,
            http_redirects=False,
            image_url_mask="",
            image_path_mask=False,
            pgp_autogen=False,
            pem_autogen=False,
            service_timeout=0,
            storage_mode="memory",
            plugin_paths=[],
        )
        # The first URL makes apprise load every service, which takes a second; no target's time is counted yet.
        self._plugin("json://localhost")

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one line."""
        match question["do"]:
            case "check":
                return self._check(question["url"])
            case "post":
                return self._post(question)
            case "mail":
                return self._mail(question)
            case other:
                raise ValueError(other)

    def _check(self, url: str) -> dict[str, Any]:
        problem, plugin = self._plugin(url)
        if plugin is None:
            return {"shown": "", "problem": problem}
        if "host" in type(plugin).template_tokens and (host_problem := self._host_problem(plugin)):
            return {"shown": "", "problem": host_problem}
        return {"shown": shown(plugin), "problem": None}

    def _plugin(self, url: str) -> tuple[str, NotifyBase | None]:
        """The service behind a URL, or what is wrong with it."""
        try:
            parsed = url_to_dict(url, secure_logging=True)  # type: ignore[no-untyped-call]  # apprise leaves it out
        except Exception:  # noqa: BLE001 - what its parser cannot read is no URL
            parsed = None
        if parsed is None:
            return (
                "is no URL of a service that is known here; see https://appriseit.com/services for how to write it",
                None,
            )
        schema = parsed["schema"]
        if schema not in self._rules.services:
            allowed = ", ".join(sorted(self._rules.services))
            return f"names the service {schema!r}, which is not allowed here; use one of {allowed}", None
        if options := sorted(_REFUSED_OPTIONS & {name.lower() for name in parsed.get("qsd", {})}):
            return f"has the option {options[0]!r}, which is not allowed; leave it out", None
        try:
            plugin = Apprise.instantiate(parsed, asset=self._asset)
        except Exception:  # noqa: BLE001 - see above
            plugin = None
        if plugin is None:
            return f"lacks something that the service {schema!r} needs; see https://appriseit.com/services", None
        plugin.redirects = False
        plugin.verify_certificate = True
        plugin.retry = 0
        plugin.optional = False
        plugin.socket_connect_timeout = CONNECT_S
        return "", plugin

    def _host_problem(self, plugin: NotifyBase) -> str | None:
        try:
            found = socket.getaddrinfo(plugin.host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return "names a host that has no address now; correct it, or wait until its name is known"
        if all(is_outward(ipaddress.ip_address(address[0]), self._rules.networks) for *_, address in found):
            return None
        return "leads to an address that is not in the public internet; give a public one"

    def _post(self, question: Mapping[str, Any]) -> dict[str, Any]:
        _, plugin = self._plugin(question["url"])
        if plugin is None:
            # What was allowed when the channel was made need not be any more.
            return _refusal("SERVICE_NOT_ALLOWED")
        self._guard.only(None)
        return self._notify(plugin, question)

    def _mail(self, question: Mapping[str, Any]) -> dict[str, Any]:
        relay = self._rules.relay
        if relay is None:
            return _refusal("NO_MAIL_RELAY")
        try:
            found = socket.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return _refusal("NAME_NOT_RESOLVED")
        # The operator's own relay may be in a private network, so only its addresses may be connected to.
        self._guard.only([(str(address[0]), int(address[1])) for *_, address in found])
        mail = {
            "schema": "mailtos" if relay.mode != "insecure" else "mailto",
            "host": relay.host,
            "port": relay.port,
            "smtp_host": relay.host,
            "secure_mode": relay.mode,
            "user": relay.user or None,
            "password": relay.password or None,
            "from_addr": f"{NAME} <{relay.sender}>",
            "targets": question["to"],
            "format": "text",
        }
        plugin = Apprise.instantiate(mail, asset=self._asset)
        if plugin is None:
            return _refusal("NO_MAIL_RELAY")
        plugin.socket_connect_timeout = CONNECT_S
        return self._notify(plugin, question)

    def _notify(self, plugin: NotifyBase, question: Mapping[str, Any]) -> dict[str, Any]:
        self._witness.forget()
        refused = self._guard.refused
        sender = Apprise(asset=self._asset)
        sender.add(plugin)
        try:
            result = sender.notify(
                title=question["title"],
                body=question["body"],
                notify_type=NotifyType.WARNING,
                body_format=NotifyFormat.TEXT,
            )
        except Exception as error:  # noqa: BLE001 - a library's mistake is one target's failure
            self._witness.raised(error)
            result = None
        if result:
            return {"status": self._witness.status, "error": None}
        word = "TARGET_REFUSED" if self._guard.refused > refused else self._witness.error
        asked = self._witness.retry_after_s
        answer = {"status": self._witness.status, "error": word or "NOT_TAKEN"}
        return answer if asked is None else answer | {"retryAfterS": asked}


def shown(plugin: NotifyBase) -> str:
    """A service's URL without its secrets: those of well-known services as apprise writes them, of others the host."""
    if plugin.schema in WELL_KNOWN:
        return str(plugin.url(privacy=True)).partition("?")[0]  # type: ignore[no-untyped-call]  # apprise leaves it out
    if "host" not in type(plugin).template_tokens:
        return f"{plugin.schema}://…"
    host = f"[{plugin.host}]" if ":" in plugin.host else plugin.host
    return f"{plugin.schema}://{host}" + (f":{plugin.port}" if plugin.port else "") + "/…"


def _refusal(error: str) -> dict[str, Any]:
    return {"status": None, "error": error}
