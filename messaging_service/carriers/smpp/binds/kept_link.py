"""Keeps one session at a carrier up for as long as it is wanted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from messaging_service.carriers.domain.carrier_status import BindState
from messaging_service.carriers.smpp.binds.session import Session
from messaging_service.carriers.smpp.binds.session_events import BindRefused, SessionEvents
from messaging_service.carriers.smpp.binds.tls import tls_context
from messaging_service.carriers.smpp.codec.pdu import Command
from messaging_service.carriers.smpp.codec.status import WRONG_CREDENTIALS, Status, bind_remedy, status_name
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from service_kit.backoff import RANDOM, backoff_s
from service_kit.duties.ending import end_tasks
from service_kit.duties.keep_running import keep_running

log = structlog.get_logger()

STEADY_S: Final = 10.0
"""Seconds after which a bind counts as a good one: the next wait starts small again."""
ALREADY_BOUND_S: Final = 5.0
"""Least wait after ESME_RALYBND, within `reconnect_max_s`: the carrier holds on to an earlier session, often until its
own check of that one fails, and to ask ten times a second does not hasten that."""


def credentials_wait_s(settings: SmppSettings, draw: Callable[[], float]) -> float:
    """Seconds to wait after the carrier refused who we say we are: at least half of the setting."""
    return settings.credentials_retry_s * (1 + draw()) / 2


class BindWaits:
    """How long one link waits before each new bind."""

    def __init__(self, settings: SmppSettings, draw: Callable[[], float]) -> None:
        self._settings = settings
        self._draw = draw
        self._attempts = 0
        """Since a bind held."""
        self._already_bound = 0
        """Refusals in a row with ESME_RALYBND. They count for themselves: a link was lost before the first of them,
        and a carrier that was out of reach for long may need no more time to give up the session than another."""

    def held(self) -> None:
        """A bind held for long enough to be a good one."""
        self._attempts = self._already_bound = 0

    def next_s(self, refused: int | None) -> float:
        """Seconds until the next try; `refused` is the status that the bind was refused with, None for none."""
        settings = self._settings
        self._attempts += 1
        self._already_bound = self._already_bound + 1 if refused == Status.ESME_RALYBND else 0
        if refused in WRONG_CREDENTIALS:
            return credentials_wait_s(settings, self._draw)
        attempts, shortest_s = self._attempts, settings.reconnect_min_s
        if self._already_bound:
            attempts = self._already_bound
            shortest_s = max(shortest_s, min(ALREADY_BOUND_S, settings.reconnect_max_s))
        return backoff_s(attempts, shortest_s, settings.reconnect_max_s, self._draw)


class KeptLink:
    """One place for a session that is filled again whenever it falls empty."""

    def __init__(
        self,
        carrier: str,
        settings: SmppSettings,
        role: Command,
        events: SessionEvents,
        changed: Callable[[], None],
        *,
        draw: Callable[[], float] = RANDOM.random,
    ) -> None:
        self._carrier = carrier
        self._settings = settings
        self._role = role
        self._events = events
        self._changed = changed
        self._draw = draw
        self._task: asyncio.Task[None] | None = None
        self._is_connecting = False
        self._log = log.bind(carrier=carrier, role=role.name.removeprefix("BIND_").lower())
        self.last_error: str | None = None
        """Why it is not bound, or was not the last time; None when it never failed."""
        self.session: Session | None = None
        """The session in place; None between two."""

    @property
    def is_kept(self) -> bool:
        """Whether it is wanted."""
        return self._task is not None and not self._task.done()

    @property
    def state(self) -> BindState:
        """What it is doing."""
        if self.session is not None and self.session.is_bound:
            return BindState.UP
        if not self.is_kept:
            return BindState.STOPPED
        return BindState.CONNECTING if self._is_connecting else BindState.WAITING

    def start(self) -> None:
        """Begins to bind, and to bind again, until `stop`. Harmless while it is kept."""
        if not self.is_kept:
            self._task = keep_running("smpp link", self._keep())

    async def finish_submits(self, timeout_s: float) -> None:
        """Takes no new messages, and waits until those in flight are answered, but no longer than that."""
        if self.session is not None:
            await self.session.finish_submits(timeout_s)

    async def stop(self, timeout_s: float) -> None:
        """Takes leave of the carrier; at the end there is no session."""
        if self._task is not None:
            await end_tasks([self._task])
        if self.session is not None:
            await self.session.unbind(timeout_s)
            self.session = None
        self._changed()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        waits = BindWaits(self._settings, self._draw)
        while True:
            began = loop.time()
            self._is_connecting = True
            refused: int | None = None
            try:
                session = await self._open()
            except BindRefused as refusal:
                refused = refusal.status
                self._refused(refusal)
            except Exception as error:  # noqa: BLE001 - each kind is logged with what to do about it
                self._failed(error)
            else:
                await self._hold(session)
                if loop.time() - began >= STEADY_S:
                    waits.held()
            self._is_connecting = False
            self._changed()
            await asyncio.sleep(waits.next_s(refused))

    def _refused(self, refusal: BindRefused) -> None:
        self.last_error = status_name(refusal.status)
        self._log.error("smpp.bind_refused", status=self.last_error, remedy=bind_remedy(refusal.status))

    def _failed(self, error: Exception) -> None:
        if isinstance(error, ssl.SSLCertVerificationError):
            self.last_error = f"the carrier's certificate is not trusted: {error.verify_message}"
            self._log.error(
                "smpp.certificate_not_trusted",
                reason=error.verify_message,
                remedy="check tls_ca_file and tls_server_name against the carrier's certificate, and its dates",
            )
        elif isinstance(error, OSError | TimeoutError):
            self.last_error = f"unreachable: {type(error).__name__}"
            self._log.warning(
                "smpp.unreachable",
                error=type(error).__name__,
                remedy="check the carrier's address, whether it speaks TLS there, the route to it and whether it is up",
            )
        else:
            self.last_error = f"failed: {type(error).__name__}"
            # A bind that is no longer kept up would be an outage that nobody sees.
            self._log.error("smpp.bind_failed", exc_info=error)

    async def _hold(self, session: Session) -> None:
        self.session = session
        self._log.info("smpp.bound")
        self._changed()
        # Not awaited directly: stop() cancels this task, and must not cancel the session's own future.
        await asyncio.wait((session.lost,))
        self.session = None
        self.last_error = session.lost.result()
        self._log.warning("smpp.link_lost", reason=self.last_error)
        self._changed()

    async def _open(self) -> Session:
        """A bound session. Raises OSError, TimeoutError, BindRefused, or ValueError for TLS files."""
        settings = self._settings
        session: Session | None = None

        def new_session() -> Session:
            nonlocal session
            session = Session(self._carrier, settings, self._role, self._events)
            return session

        context = tls_context(settings)
        server_name = (settings.tls_server_name or settings.host) if context else None
        try:
            async with asyncio.timeout(settings.response_timeout_s):
                _, opened = await asyncio.get_running_loop().create_connection(
                    new_session, settings.host, settings.port, ssl=context, server_hostname=server_name
                )
                await opened.bound
        except BaseException:
            if session is not None:
                session.abort("the bind failed")
            raise
        return opened
