"""Operators' words on carriers reach every replica, and every replica reports how its carriers stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from messaging_service.carriers.carrier_fleet import Fleet, MemberStatus
from messaging_service.carriers.domain.carrier_control import CarrierControl, CarrierMode
from messaging_service.shared.domain import reasons
from service_kit.audit.actor import Actor
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import Kind, ServiceError

REPORT_EVERY = 5


@dataclass(frozen=True, slots=True)
class CarrierReport:
    """How one replica saw one of its carriers."""

    replica: str
    reported_at: datetime
    status: MemberStatus


class CarrierRegistry(Protocol):
    """Where replicas keep operators' words and their own reports, for one another.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached.
    """

    async def controls(self) -> Sequence[CarrierControl]:
        """What operators said last, by carrier."""
        ...

    async def set_mode(
        self, carrier: str, mode: CarrierMode, changed_by: str, reason: str, *, actor: Actor
    ) -> CarrierControl:
        """Puts an operator's word on record, and audits it."""
        ...

    async def report(self, replica: str, statuses: Sequence[MemberStatus]) -> None:
        """Replaces what this replica reported, and forgets replicas that have not reported for long."""
        ...

    async def reports(self) -> Sequence[CarrierReport]:
        """What replicas reported lately, by carrier and replica."""
        ...


class ControlCarriers:
    """The use case behind CarrierService."""

    def __init__(self, fleet: Fleet, room: CarrierRegistry, replica: str, log: DutyLog, *, every_s: float) -> None:
        """`every_s`: seconds between two looks at what operators said; reports are made every fifth time."""
        self._fleet = fleet
        self._room = room
        self._replica = replica
        self._log = log
        self._turn = 0
        self._duty = Duty("carriers", self._follow_and_report, log, every_s=every_s)

    async def set_mode(
        self, carrier: str, mode: CarrierMode, changed_by: str, reason: str, *, actor: Actor
    ) -> CarrierControl:
        """Puts an operator's word on record and follows it; the other replicas follow soon.

        Raises ServiceError CARRIER_NOT_FOUND.
        """
        names = [member.name for member in self._fleet]
        if carrier not in names:
            raise ServiceError(
                Kind.NOT_FOUND,
                reasons.CARRIER_NOT_FOUND,
                f"there is no carrier of this name; there are {', '.join(names)}",
                metadata={"carriers": ",".join(names)},
            )
        return await self._room.set_mode(carrier, mode, changed_by, reason, actor=actor)

    async def list(self) -> tuple[Sequence[CarrierReport], Sequence[CarrierControl]]:
        """How every carrier stands at every replica, at this one as of now, and what operators said."""
        await self._report()
        return await self._room.reports(), await self._room.controls()

    async def before_start(self) -> None:
        """Follows what is on record before a carrier connects; when it cannot be read, the carriers are used."""
        try:
            await self.follow_once()
        except ServiceError as error:
            self._log.upkeep_failed("carriers", error)
        except Exception as error:  # noqa: BLE001 - carriers work without
            self._log.upkeep_crashed("carriers", error)

    async def follow_once(self) -> None:
        """Brings the carriers into the modes that operators want."""
        controls = await self._room.controls()
        await self._fleet.follow({control.carrier: control.mode for control in controls})

    async def run(self) -> None:
        """Follows and reports until cancelled. While the database is away, the modes stay as they are."""
        await self._duty.run()

    async def _follow_and_report(self) -> None:
        await self.follow_once()
        if self._turn % REPORT_EVERY == 0:
            await self._report()
        self._turn += 1

    async def _report(self) -> None:
        await self._room.report(self._replica, self._fleet.statuses())
