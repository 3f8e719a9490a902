"""Binds only while this replica holds a lease, and never longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from messaging_service.carriers.bind_leases import BindLeases, LeaseShare, LeaseTerms
from messaging_service.carriers.smpp.binds.bind import KeptBind
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from service_kit.duties.ending import end_tasks
from service_kit.duties.keep_running import keep_running

log = structlog.get_logger()

_LOOKS: Final = 15
"""Renewals within one lease. Each also finds what others left, so a dead replica's binds are taken over so soon
after its leases ran out."""
_PATIENCE: Final = 3
"""Part of a lease after which a renewal that hangs is given up."""
_MARGIN: Final = 6
"""Part of a lease that a replica keeps for unbinding before another may bind."""
_SPENDING: Final = 0.4
"""Part of the margin that answers may take, and again that the unbind may take."""


class LeasedBinds:
    """Starts a bind when its lease is there, and stops it before the lease is gone.

    `changed` is called with the number of leases held whenever that changes.
    """

    def __init__(
        self,
        carrier: str,
        settings: SmppSettings,
        leases: BindLeases,
        binds: Sequence[KeptBind],
        changed: Callable[[int], None],
    ) -> None:
        self._carrier = carrier
        self._settings = settings
        self._leases = leases
        self._binds = {bind.number: bind for bind in binds}
        self._changed = changed
        self._terms = LeaseTerms(carrier, settings.max_binds, settings.lease_s)
        self._margin_s = settings.lease_s / _MARGIN
        self._task: asyncio.Task[None] | None = None
        self._fence: asyncio.TimerHandle | None = None
        self._stops: dict[int, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()
        self._nudged = asyncio.Event()
        """Set when a bind was wound up, whose lease may be held again by now."""
        self._is_stopping = False
        self._told = -1
        self.fair = 0
        """How many this replica should hold, as of the last renewal."""
        self.is_fenced = False
        """Whether the leases ran out because they could not be renewed."""

    @property
    def held(self) -> int:
        """Binds that are wanted here now."""
        return sum(bind.is_started for bind in self._binds.values())

    def start(self) -> None:
        """Begins to ask for leases."""
        self._is_stopping = False
        self._task = keep_running(f"bind leases of {self._carrier}", self._keep())

    async def stop(self, timeout_s: float) -> None:
        """Unbinds, which `timeout_s` bounds for each bind, and gives the leases up."""
        # Renewed until the binds are gone: an answer that takes long must not cost the lease in the meantime.
        self._is_stopping = True
        await asyncio.gather(*(bind.stop(timeout_s) for bind in self._binds.values()))
        await asyncio.gather(*self._stops.values())
        if self._fence is not None:
            self._fence.cancel()
        if self._task is not None:
            await end_tasks([self._task])
        try:
            async with asyncio.timeout(timeout_s):
                await self._leases.leave(self._carrier)
        except Exception as error:  # noqa: BLE001 - they lapse by themselves
            log.warning("smpp.leases_not_released", carrier=self._carrier, error=type(error).__name__)
        self._tell()

    async def _keep(self) -> None:
        lease_s = self._settings.lease_s
        while True:
            try:
                async with self._lock, asyncio.timeout(lease_s / _PATIENCE):
                    asked_at = asyncio.get_running_loop().time()
                    share = await self._leases.renew(self._terms)
                    self._renewed(share, asked_at + lease_s - self._margin_s)
            except Exception as error:  # noqa: BLE001 - whatever fails, the fence stands
                log.warning(
                    "smpp.leases_not_renewed",
                    carrier=self._carrier,
                    error=type(error).__name__,
                    remedy="check the database; without it the binds end before their leases do",
                )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), lease_s / _LOOKS)
            self._nudged.clear()

    def _renewed(self, share: LeaseShare, good_until: float) -> None:
        self.fair = share.fair
        self.is_fenced = False
        if self._fence is not None:
            self._fence.cancel()
        self._fence = asyncio.get_running_loop().call_at(good_until, self._ran_out)
        surplus = len(share.held) - share.fair
        for number, bind in self._binds.items():
            if number in self._stops:
                surplus -= number in share.held
                continue
            if number not in share.held:
                if bind.is_started:
                    log.error("smpp.lease_lost", carrier=self._carrier, bind=number)
                    self._end(bind, wait_s=0.0, gives_up=False)
            elif not bind.is_started and not self._is_stopping:
                bind.start()
        for number in sorted(share.held - self._stops.keys(), reverse=True)[: max(0, surplus)]:
            log.info("smpp.lease_given_up", carrier=self._carrier, bind=number)
            self._end(self._binds[number], wait_s=self._settings.response_timeout_s, gives_up=True)
        self._tell()

    def _ran_out(self) -> None:
        """Ends all binds: from the end of the margin on, another replica may hold them."""
        self.is_fenced = True
        log.error(
            "smpp.leases_ran_out",
            carrier=self._carrier,
            binds=self.held,
            remedy="check the database; the binds come back when leases can be renewed",
        )
        for number, bind in self._binds.items():
            if bind.is_started and number not in self._stops:
                self._end(bind, wait_s=self._margin_s * _SPENDING, gives_up=False)

    def _end(self, bind: KeptBind, *, wait_s: float, gives_up: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._wind_up(bind, wait_s, gives_up=gives_up))
        self._stops[bind.number] = task

    async def _wind_up(self, bind: KeptBind, wait_s: float, *, gives_up: bool) -> None:
        try:
            await bind.finish_submits(wait_s)
            await bind.stop(self._margin_s * _SPENDING)
            if gives_up:
                # The lock keeps a renewal that is under way from starting what is given up here.
                async with self._lock:
                    await self._leases.release(self._carrier, bind.number)
        except Exception as error:  # noqa: BLE001 - the lease lapses by itself, or is renewed
            log.warning("smpp.lease_not_released", carrier=self._carrier, error=type(error).__name__)
        finally:
            self._stops.pop(bind.number, None)
            self._nudged.set()
            self._tell()

    def _tell(self) -> None:
        held = self.held
        if held != self._told:
            self._told = held
            self._changed(held)


def leased_binds(
    carrier: str,
    settings: SmppSettings,
    leases: BindLeases | None,
    binds: Sequence[KeptBind],
    changed: Callable[[int], None],
) -> LeasedBinds | None:
    """What keeps the binds to their leases; None when the carrier sets no limit.

    Raises ValueError when it sets one and there is nowhere to hold leases.
    """
    if not settings.max_binds:
        return None
    if leases is None:
        raise ValueError("max_binds is set, and there is nowhere to hold leases: without a database, set binds")
    return LeasedBinds(carrier, settings, leases, binds, changed)
