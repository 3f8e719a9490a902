"""One bind at a carrier: a transceiver, or a transmitter and the receiver beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from messaging_service.carriers.domain.carrier_status import BindState, BindStatus
from messaging_service.carriers.smpp.binds.kept_link import KeptLink
from messaging_service.carriers.smpp.binds.session import Session
from messaging_service.carriers.smpp.binds.session_events import SessionEvents
from messaging_service.carriers.smpp.codec.pdu import Command
from messaging_service.carriers.smpp.smpp_settings import BindMode, SmppSettings

_IDLE_STATE: Final = {True: BindState.UNLEASED, False: BindState.STOPPED}


class KeptBind:
    """Keeps its one or two sessions up between `start` and `stop`."""

    def __init__(
        self,
        carrier: str,
        number: int,
        settings: SmppSettings,
        events: SessionEvents,
        changed: Callable[[], None],
    ) -> None:
        self.number = number
        """From 1, unique within the carrier; with leases it names the lease."""
        self._needs_lease = settings.max_binds > 0
        self._is_started = False
        if settings.bind_mode is BindMode.PAIR:
            self._submitting = KeptLink(carrier, settings, Command.BIND_TRANSMITTER, events, changed)
            self._receiving: KeptLink | None = KeptLink(carrier, settings, Command.BIND_RECEIVER, events, changed)
            self._links = [self._submitting, self._receiving]
        else:
            self._submitting = KeptLink(carrier, settings, Command.BIND_TRANSCEIVER, events, changed)
            self._receiving = None
            self._links = [self._submitting]

    @property
    def session(self) -> Session | None:
        """The session that submits; None while it is not bound."""
        return self._submitting.session

    @property
    def ends_because(self) -> str | None:
        """Why a session that is still there takes no more submits; None when there is none such."""
        for link in self._links:
            if link.session is not None and link.session.ends_because is not None:
                return link.session.ends_because
        return None

    @property
    def is_started(self) -> bool:
        """Whether it is wanted."""
        return self._is_started

    @property
    def deafness(self) -> str | None:
        """Why receipts cannot come although submits go; None when they can, or when neither can."""
        receiver = self._receiving
        if receiver is None or receiver.state is BindState.UP or self._submitting.state is not BindState.UP:
            return None
        return receiver.last_error or "it is being bound"

    def status(self) -> BindStatus:
        """How it stands now; that of a pair is its transmitter's, with the error of whichever is not up."""
        session = self.session
        errors = [link.last_error for link in self._links if link.state is not BindState.UP and link.last_error]
        error = self.ends_because or (errors[0] if errors else self._submitting.last_error)
        if session is not None and session.is_bound:
            window = session.window if session.ends_because is None else 0
            return BindStatus(
                self.number, BindState.UP, window, session.in_use, error, is_throttled=session.is_throttled
            )
        state = self._submitting.state if self._is_started else _IDLE_STATE[self._needs_lease]
        return BindStatus(self.number, state, window=0, in_use=0, last_error=error)

    def start(self) -> None:
        """Begins to bind, and to bind again, until `stop`. Harmless when it has begun."""
        self._is_started = True
        for link in self._links:
            link.start()

    async def finish_submits(self, timeout_s: float) -> None:
        """Takes no new messages, and waits until those in flight are answered, but no longer than that."""
        await self._submitting.finish_submits(timeout_s)

    async def stop(self, timeout_s: float) -> None:
        """Takes leave of the carrier; at the end there is no session."""
        self._is_started = False
        await asyncio.gather(*(link.stop(timeout_s) for link in self._links))
