"""Keeps one bind at a carrier up for as long as it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from messaging_service.adapters.carriers.backoff import RANDOM, backoff_s
from messaging_service.adapters.carriers.smpp.session import BindRefused, Session, SessionEvents
from messaging_service.adapters.carriers.smpp.settings import SmppSettings
from messaging_service.adapters.carriers.smpp.status import bind_remedy, status_name
from messaging_service.domain.carrier_status import BindState, BindStatus

log = structlog.get_logger()

STEADY_S: Final = 10.0
"""A bind that held so long was a good one: the next wait starts small again."""


class KeptBind:
    """One place for a session that is filled again whenever it falls empty."""

    def __init__(
        self,
        carrier: str,
        settings: SmppSettings,
        events: SessionEvents,
        changed: Callable[[], None],
        draw: Callable[[], float] = RANDOM.random,
    ) -> None:
        self._carrier = carrier
        self._settings = settings
        self._events = events
        self._changed = changed
        self._draw = draw
        self._task: asyncio.Task[None] | None = None
        self._last_error: str | None = None
        self._is_connecting = False
        self.session: Session | None = None
        """The session in place; None between two."""

    def status(self, number: int) -> BindStatus:
        """How it stands now, under the number that its carrier gives it."""
        session = self.session
        if session is not None and session.is_up:
            return BindStatus(number, BindState.UP, session.window, session.in_use, self._last_error)
        if self._task is None or self._task.done():
            state = BindState.STOPPED
        else:
            state = BindState.CONNECTING if self._is_connecting else BindState.WAITING
        return BindStatus(number, state, window=0, in_use=0, last_error=self._last_error)

    def start(self) -> None:
        """Begins to bind, and to bind again, until `stop`."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self, timeout_s: float) -> None:
        """Takes leave of the carrier; at the end there is no session."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        if self.session is not None:
            await self.session.unbind(timeout_s)
            self.session = None

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            began = loop.time()
            self._is_connecting = True
            try:
                session = await self._open()
            except BindRefused as refusal:
                self._last_error = status_name(refusal.status)
                log.error(  # noqa: TRY400 - a refusal is an answer, its traceback says nothing
                    "smpp.bind_refused",
                    carrier=self._carrier,
                    status=status_name(refusal.status),
                    remedy=bind_remedy(refusal.status),
                )
            except (OSError, TimeoutError) as error:
                self._last_error = f"unreachable: {type(error).__name__}"
                log.warning(
                    "smpp.unreachable",
                    carrier=self._carrier,
                    error=type(error).__name__,
                    remedy="check the carrier's address, the route to it and whether it is up",
                )
            except Exception as error:
                self._last_error = f"failed: {type(error).__name__}"
                # A bind that is no longer kept up would be an outage that nobody sees.
                log.exception("smpp.bind_failed", carrier=self._carrier)
            else:
                await self._hold(session)
                if loop.time() - began >= STEADY_S:
                    attempt = 0
            attempt += 1
            self._is_connecting = False
            wait_s = backoff_s(attempt, self._settings.reconnect_min_s, self._settings.reconnect_max_s, self._draw)
            await asyncio.sleep(wait_s)

    async def _hold(self, session: Session) -> None:
        self.session = session
        log.info("smpp.bound", carrier=self._carrier)
        self._changed()
        # Not awaited directly: stop() cancels this task, and must not cancel the session's own future.
        await asyncio.wait((session.lost,))
        self.session = None
        self._last_error = session.lost.result()
        log.warning("smpp.link_lost", carrier=self._carrier, reason=self._last_error)
        self._changed()

    async def _open(self) -> Session:
        """A bound session. Raises OSError, TimeoutError or BindRefused."""
        settings = self._settings
        session: Session | None = None

        def new_session() -> Session:
            nonlocal session
            session = Session(self._carrier, settings, self._events)
            return session

        try:
            async with asyncio.timeout(settings.response_timeout_s):
                _, opened = await asyncio.get_running_loop().create_connection(
                    new_session, settings.host, settings.port
                )
                await opened.bound
        except BaseException:
            if session is not None:
                session.abort("the bind failed")
            raise
        return opened
