"""Whether the carrier can take messages: looks at the account, and pauses that the carrier caused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import httpx
import structlog

from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.africastalking.answers import read_balance
from messaging_service.carriers.africastalking.client import Reply
from messaging_service.carriers.africastalking.results import Consequence, meaning_of_http
from messaging_service.carriers.domain.carrier_status import BindState
from service_kit.backoff import RANDOM, backoff_s
from service_kit.duties.ending import end_tasks
from service_kit.duties.keep_running import keep_running

log = structlog.get_logger()

JITTER: Final = 0.1
"""The part by which a wait between two looks may be longer, so that replicas do not all ask at once."""

FILTERED_IN_A_ROW: Final = 3
"""Pages of a filter, one after another, that are about the account rather than the texts."""


@dataclass(frozen=True, slots=True)
class _Pause:
    """Why nothing is sent though the carrier can be reached."""

    cause: Consequence
    detail: str
    not_before: float
    """On the loop's clock: a look before it does not end the pause."""


class Standing:
    """Looks at the account again and again; up while the carrier answers and nothing speaks against it.

    A look that brings no answer takes the carrier down until one does. A pause that a message caused lasts
    at least one poll, so that an account which the carrier shows as fine, and still refuses, costs a few
    refusals a minute and not thousands.
    """

    def __init__(
        self,
        name: str,
        settings: AfricasTalkingSettings,
        look: Callable[[], Awaitable[Reply]],
        changed: Callable[[], None],
    ) -> None:
        self._name = name
        self._settings = settings
        self._look = look
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._answers = False
        self._first_look = True
        self._pause: _Pause | None = None
        self._warned = False
        self._filtered = 0
        """Pages of a filter since the last answer of the API."""
        self.balance: Decimal | None = None
        """KES at the last look that showed it; None before."""
        self.last_error: str | None = None
        """Why it is not up, or was not the last time; None when it never failed."""

    @property
    def is_up(self) -> bool:
        """Whether messages can be sent now."""
        return self._answers and self._pause is None

    @property
    def state(self) -> BindState:
        """The same as a bind's state."""
        if self._task is None:
            return BindState.STOPPED
        if self.is_up:
            return BindState.UP
        return BindState.CONNECTING if self._first_look else BindState.WAITING

    @property
    def remark(self) -> str | None:
        """What an operator should know; None for nothing."""
        if self._pause is not None:
            balance = "" if self.balance is None else f"; balance KES {self.balance:f}"
            within = f"it is looked at every {self._settings.balance_poll_s:g} s, and sending goes on by itself"
            return f"paused: {self._pause.cause.value} ({self._pause.detail}{balance}): {self._remedy()}; {within}"
        if self._is_low:
            return f"the carrier's balance is low, KES {self.balance:f}: top it up"
        return None

    def start(self) -> None:
        """Begins to look, the first time at once."""
        self._first_look = True
        self._task = keep_running(f"standing of {self._name}", self._keep())

    async def stop(self) -> None:
        """Ends the looks; not up any more."""
        if self._task is not None:
            await end_tasks([self._task])
            self._task = None
        self._answers = False

    # What messages tell.

    def doubt(self) -> None:
        """A message found no connection, or no answer: looks now."""
        if self._answers:
            self._wake.set()

    def consequence(self, consequence: Consequence, detail: str) -> None:
        """What the answer to a message means for those after it: pauses when it was refused for the account's sake.

        A page of a filter may be about the text of one message; several in a row are about all.
        """
        self._filtered = self._filtered + 1 if consequence is Consequence.FILTERED else 0
        if self._filtered >= FILTERED_IN_A_ROW:
            consequence = Consequence.ACCOUNT_REFUSED
        if consequence in (Consequence.OUT_OF_FUNDS, Consequence.ACCOUNT_REFUSED) and self._pause is None:
            self._begin_pause(consequence, detail, self._settings.balance_poll_s)
            self._wake.set()

    # Looks.

    async def _keep(self) -> None:
        failures = 0
        while True:
            self._wake.clear()
            failures = 0 if await self._take_a_look() else failures + 1
            self._first_look = False
            if failures:
                await asyncio.sleep(backoff_s(failures, self._settings.reconnect_min_s, self._settings.reconnect_max_s))
                continue
            wait_s = self._settings.balance_poll_s * (1 + JITTER * RANDOM.random())
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _take_a_look(self) -> bool:
        """Whether the carrier answered."""
        try:
            async with asyncio.timeout(self._settings.response_timeout_s):
                reply = await self._look()
        except (httpx.HTTPError, OSError) as error:
            # The time-out of the whole look is an OSError as well.
            self._lost(f"unreachable: {type(error).__name__}")
            return False
        except Exception as error:
            # A carrier that is no longer looked at would be an outage that nobody sees.
            log.exception("africastalking.look_failed", carrier=self._name)
            self._lost(f"failed: {type(error).__name__}")
            return False
        self._answered(reply)
        return True

    def _lost(self, error: str) -> None:
        self.last_error = error
        if self._answers or self._first_look:
            log.warning(
                "africastalking.unreachable",
                carrier=self._name,
                error=error,
                remedy="check base_url, the route to the carrier and whether it is up",
            )
        if self._answers:
            self._answers = False
            self._changed()

    def _answered(self, reply: Reply) -> None:
        was_up = self.is_up
        self._answers = True
        if not 200 <= reply.status < 300:
            self.last_error = f"looking at the account: HTTP {reply.status}"
            if meaning_of_http(reply.status).consequence is Consequence.ACCOUNT_REFUSED and self._pause is None:
                self._begin_pause(Consequence.ACCOUNT_REFUSED, f"HTTP {reply.status}", 0)
        else:
            balance = read_balance(reply.body)
            self._take_balance(balance)
            self._end_pause(balance)
        if self.is_up and not was_up:
            log.info("africastalking.up", carrier=self._name)
            self._changed()

    def _take_balance(self, balance: Decimal | None) -> None:
        if balance is None:
            self.last_error = "looking at the account: the answer tells no balance"
            return
        self.balance = balance
        if self._is_low and not self._warned:
            log.warning("africastalking.balance_low", carrier=self._name, balance_kes=f"{balance:f}")
        self._warned = self._is_low

    @property
    def _is_low(self) -> bool:
        return self.balance is not None and self.balance < self._settings.low_balance

    # Pauses.

    def _begin_pause(self, cause: Consequence, detail: str, least_s: float) -> None:
        self._pause = _Pause(cause, detail, asyncio.get_running_loop().time() + least_s)
        self.last_error = f"{cause.value} ({detail})"
        log.error("africastalking.paused", carrier=self._name, cause=cause.value, detail=detail, remedy=self._remedy())

    def _end_pause(self, balance: Decimal | None) -> None:
        if self._pause is None or asyncio.get_running_loop().time() < self._pause.not_before:
            return
        # A balance that cannot be read tells nothing: the next message then tries, and pauses again if it must.
        if self._pause.cause is Consequence.OUT_OF_FUNDS and balance is not None and balance <= 0:
            return
        self._pause = None
        log.info("africastalking.resumed", carrier=self._name)

    def _remedy(self) -> str:
        if self._pause is not None and self._pause.cause is Consequence.OUT_OF_FUNDS:
            return "top the carrier's account up"
        return "correct base_url, username and api_key"
