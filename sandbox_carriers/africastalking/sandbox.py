"""The sandbox as one object: an HTTP server that speaks the carrier's API, and breaks off where it is told to."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
import structlog

from sandbox_carriers.africastalking.api_behaviours import Manner
from sandbox_carriers.africastalking.callback_sender import Callbacks
from sandbox_carriers.africastalking.http_link import HttpLink, HttpRequest
from sandbox_carriers.africastalking.manners import answer
from sandbox_carriers.africastalking.sandbox_account import Account, Verdict
from sandbox_carriers.africastalking.sandbox_api_settings import AfricasTalkingSandboxSettings
from sandbox_carriers.smpp.journal import Journal
from service_kit.settings import Address
from service_kit.web.stop_accepting import stop_accepting

log = structlog.get_logger()

_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class AfricasTalkingSandbox:
    """Plays the carrier on loopback. Tests start it in their own loop, on a free port."""

    account: Account
    callbacks: Callbacks

    def __init__(self, settings: AfricasTalkingSandboxSettings | None = None) -> None:
        self._settings = settings or AfricasTalkingSandboxSettings().on_free_port()
        self._server: asyncio.Server | None = None
        self._journal: Journal | None = None
        self._conditions: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.links: set[HttpLink] = set()
        """The connections that are open."""
        self.links_total = 0
        """Connections that were opened since the start."""
        self.account_status = 200
        """How a look at the account is answered; 0 for not at all. Tests may set it."""
        self.currency = "KES"
        """In which the account's balance is shown; tests may set it."""
        self.api_key = self._settings.api_key
        """The key that is accepted; tests may change it."""
        self.port = 0
        """Where it listens, once started."""

    @property
    def url(self) -> str:
        """The base URL, once started."""
        return f"http://{Address(self._settings.http_address.host, self.port)}"

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken or the log cannot be opened."""
        address = self._settings.http_address
        self._journal = Journal(self._settings.log_path)
        self.account = Account(self._settings, self._journal, self.changed)
        self.callbacks = Callbacks(self._settings, self.account, self.changed)
        try:
            self._server = await asyncio.get_running_loop().create_server(self._link, address.host, address.port)
        except OSError as error:
            self._journal.close()
            await self.callbacks.stop()
            raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from None
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("at_sandbox.listening", port=self.port)

    async def stop(self) -> None:
        """Cuts every connection and closes the log. Harmless before a start."""
        if self._server is None or self._journal is None:
            return
        await stop_accepting(self._server)
        self.cut_links()
        await self.wait_for(lambda: not self.links)
        await self._server.wait_closed()
        self._server = None
        await self.callbacks.stop()
        self._journal.close()
        log.info("at_sandbox.stopped")

    def cut_links(self) -> None:
        """Breaks every connection without a word, as a failing network does."""
        for link in list(self.links):
            link.cut()

    async def wait_for(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Returns as soon as the condition holds; it is looked at whenever something happens here.

        Raises TimeoutError when it does not hold in time.
        """
        if condition():
            return
        happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (condition, happened)
        self._conditions.append(entry)
        try:
            async with asyncio.timeout(timeout_s):
                await happened
        finally:
            self._conditions.remove(entry)

    def changed(self) -> None:
        """Wakes those whose condition holds now."""
        for condition, happened in list(self._conditions):
            if not happened.done() and condition():
                happened.set_result(None)

    # Requests.

    def _link(self) -> HttpLink:
        link = HttpLink(self._serve, self._closed)
        self.links.add(link)
        self.links_total += 1
        return link

    def _closed(self, link: HttpLink) -> None:
        self.links.discard(link)
        self.changed()

    async def _serve(self, link: HttpLink, request: HttpRequest) -> None:
        # A web page that points its name at this machine must not read what the phones received.
        if request.headers.get("host", "").rpartition(":")[0] not in _HOSTS:
            link.answer(403, b"not under this name", "text/plain")
            return
        parts = request.path.strip("/").split("/")
        match request.method, parts:
            case "POST", ["version1", "messaging"]:
                await self._messaging(link, request)
            case "GET", ["version1", "user"]:
                self._user(link, request)
            case "GET", ["messages"]:
                _json(link, {"messages": [sms.as_json() for sms in reversed(self.account.messages)]})
            case "DELETE", ["messages"]:
                self.account.clear()
                link.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            case "GET", ["stats"]:
                _json(link, {**self.account.stats(), "reportsWaiting": self.callbacks.waiting})
            case "POST", ["phones", phone, ("messages" | "opt-outs") as what]:
                self._phone(link, request, phone, what)
            case _:
                link.answer(404, b"there is nothing here; see the guide", "text/plain")

    def _is_known(self, request: HttpRequest, username: str) -> bool:
        key = request.headers.get("apikey", "")
        if username == self._settings.username and hmac.compare_digest(key.encode(), self.api_key.encode()):
            return True
        self.account.counts.unauthorized += 1
        self.changed()
        return False

    def _user(self, link: HttpLink, request: HttpRequest) -> None:
        self.account.counts.account_looks += 1
        self.changed()
        if not self.account_status:
            return
        if self.account_status != 200:
            link.answer(self.account_status, b"out of order", "text/plain")
        elif not self._is_known(request, _fields(request.query).get("username", "")):
            link.answer(401, b"The supplied authentication is invalid", "text/plain")
        else:
            _json(link, {"UserData": {"balance": f"{self.currency} {self.account.balance:.4f}"}})

    def _phone(self, link: HttpLink, request: HttpRequest, phone: str, what: str) -> None:
        fields = _fields(request.body.decode("utf-8", "replace"))
        number = "+" + phone.removeprefix("%2B").removeprefix("+")
        if self.callbacks.url is None:
            link.answer(409, b"AT_SANDBOX_CALLBACK_URL is not set", "text/plain")
            return
        if what == "messages":
            self.callbacks.phone_writes(number, fields.get("to", ""), fields.get("text", ""))
        else:
            self.callbacks.opts_out(number, fields.get("senderId", ""))
        link.answer(202, b"{}")

    async def _messaging(self, link: HttpLink, request: HttpRequest) -> None:
        fields = _fields(request.body.decode("utf-8", "replace"))
        if not self._is_known(request, fields.get("username", "")):
            link.answer(401, b"The supplied authentication is invalid", "text/plain")
            return
        missing = [name for name in ("to", "message") if not fields.get(name)]
        if missing:
            link.answer(400, f"Request is missing required form field '{missing[0]}'".encode(), "text/plain")
            return
        verdict = self.account.take(fields["to"], fields.get("from", "AFRICASTKNG"), fields["message"])
        await asyncio.sleep(self._settings.latency_s)
        if verdict.sms is not None:
            if verdict.behaviour.reports_first:
                await self.callbacks.report_now(verdict.sms)
            else:
                self.callbacks.report(verdict.sms)
        await self._answer(link, verdict)
        self.changed()

    async def _answer(self, link: HttpLink, verdict: Verdict) -> None:
        behaviour, counts = verdict.behaviour, self.account.counts
        if behaviour.manner is Manner.PLAINLY and verdict.sms is None:
            counts.refused += 1
        elif behaviour.manner not in (Manner.PLAINLY, Manner.SLOWLY) or behaviour.http_status != 201:
            counts.unanswered += 1
        if behaviour.http_status != 201:
            link.answer(behaviour.http_status, b"<html><body>out of order</body></html>", "text/html")
            return
        if behaviour.manner is Manner.SLOWLY:
            await asyncio.sleep(self._settings.slow_answer_s)
        await answer(link, verdict)


def _fields(form: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(form, keep_blank_values=True).items()}


def _json(link: HttpLink, value: dict[str, Any], status: int = 200) -> None:
    link.answer(status, msgspec.json.encode(value))
