"""The sandbox as one object: an SMPP server, an HTTP server, and the phones behind them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import structlog

from sandbox_carriers.smpp.journal import Journal
from sandbox_carriers.smpp.link import Link
from sandbox_carriers.smpp.network import Network
from sandbox_carriers.smpp.pages import sandbox_app
from sandbox_carriers.smpp.phones import PhoneMessage, Phones
from sandbox_carriers.smpp.receipt_queue import ReceiptQueue
from sandbox_carriers.smpp.sandbox_settings import SandboxSettings
from service_kit.settings import Address
from service_kit.web.http_server import HttpServer
from service_kit.web.stop_accepting import stop_accepting

log = structlog.get_logger()

_STOP_TIMEOUT_S: Final = 5


class SandboxCarrier:
    """Plays an operator on loopback. Tests start it in their own loop, on free ports.

    `with_pages` False leaves the HTTP side away, which makes starting and stopping faster. With `tls` the SMPP side
    speaks TLS from the first octet.
    """

    network: Network

    def __init__(
        self,
        settings: SandboxSettings | None = None,
        *,
        with_pages: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self._settings = settings or SandboxSettings().on_free_ports()
        self._with_pages = with_pages
        self._links: set[Link] = set()
        self._conditions: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._smpp: asyncio.Server | None = None
        self._http: HttpServer | None = None
        self.refuses_binds = False
        """While set, each bind is answered ESME_RBINDFAIL."""
        self.binds_total = 0
        """Links that were opened since the start."""
        self._most_binds = 0
        self.smpp_port = 0
        """Where SMPP listens, once started."""
        self.http_port = 0
        """Where HTTP listens, once started."""

    async def start(self) -> None:
        """Listens on both ports. Raises OSError when one is taken or the log cannot be opened."""
        settings = self._settings
        with ExitStack() as undo:
            smpp_socket = undo.enter_context(_listening(settings.smpp_address))
            journal = Journal(settings.log_path)
            undo.callback(journal.close)
            receipts = ReceiptQueue(settings.receipt_delay_s, settings.receipt_retry_s, self.changed)
            self.network = Network(Phones(settings.kept_messages), receipts, journal, self.changed)
            if self._with_pages:
                self._http = HttpServer(settings.http_address, sandbox_app(self.network, self.stats), drain_s=0)
                await self._http.start()
                self.http_port = self._http.port
            undo.pop_all()
        self.smpp_port = smpp_socket.getsockname()[1]
        self._smpp = await asyncio.get_running_loop().create_server(
            lambda: Link(self, settings.slow_answer_s), sock=smpp_socket, ssl=self._tls
        )
        log.info("sandbox.listening", smpp_port=self.smpp_port, http_port=self.http_port)

    async def stop(self) -> None:
        """Cuts every link, stops both servers and closes the log. Harmless before a start."""
        if self._smpp is None:
            return
        await stop_accepting(self._smpp)
        self.cut_links()
        await self.wait_for(lambda: not self._links, _STOP_TIMEOUT_S)
        await self._smpp.wait_closed()
        self._smpp = None
        self.network.receipts.stop()
        if self._http is not None:
            await self._http.stop()
        self.network.journal.close()
        log.info("sandbox.stopped")

    # What tests look at.

    @property
    def links(self) -> list[Link]:
        """The links that are open, bound or not."""
        return list(self._links)

    @property
    def messages(self) -> list[PhoneMessage]:
        """The messages that are kept, newest first."""
        return self.network.phones.newest(self._settings.kept_messages)

    def stats(self) -> dict[str, int]:
        """The counts that `GET /stats` shows."""
        return {
            **self.network.stats(),
            "binds": sum(link.is_bound for link in self._links),
            "maxBinds": self._most_binds,
            "linksTotal": self.binds_total,
            "outstanding": sum(link.outstanding for link in self._links),
        }

    async def wait_for(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
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
            if entry in self._conditions:
                self._conditions.remove(entry)

    # What tests do to it.

    def cut_links(self) -> None:
        """Breaks every link without a word, as a failing network does."""
        for link in list(self._links):
            link.abort("cut by the sandbox")

    # What links tell.

    def linked(self, link: Link) -> None:
        """A link was opened."""
        self._links.add(link)
        self.binds_total += 1
        self.changed()

    def bound(self) -> None:
        """A client was bound."""
        self._most_binds = max(self._most_binds, sum(link.is_bound for link in self._links))
        self.changed()

    def unlinked(self, link: Link) -> None:
        """A link is gone."""
        self._links.discard(link)
        self.changed()

    def changed(self) -> None:
        """Wakes those whose condition holds now."""
        if not self._conditions:
            return
        for entry in list(self._conditions):
            condition, happened = entry
            if not happened.done() and condition():
                happened.set_result(None)
                self._conditions.remove(entry)


def _listening(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from None
    listener.setblocking(False)
    return listener
