"""The duty that watches for what accounts want to be warned of."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from messaging_service.carriers.control_carriers import CarrierRegistry, CarrierReport
from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.circuit_breaker import BreakerState
from messaging_service.notices.alert_store import AlertStore, Evaluated
from messaging_service.notices.domain.alert_readings import CarrierHealth
from messaging_service.notices.notice_meters import AlertMeter
from messaging_service.prices.prices import Prices
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import ServiceError


class WatchForAlerts:
    """Evaluates the rules at an interval; one process at a time does."""

    def __init__(
        self,
        store: AlertStore,
        carriers: CarrierRegistry,
        prices: Prices,
        log: DutyLog,
        meter: AlertMeter,
        *,
        every_s: float,
    ) -> None:
        self._store = store
        self._carriers = carriers
        self._prices = prices
        self._log = log
        self._meter = meter
        self._duty = Duty("alerts", self._pass, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def _pass(self) -> None:
        await self.look()

    async def look(self) -> Evaluated | None:
        """Evaluates all rules once; None as in AlertStore.evaluate."""
        reports = await self._carriers.reports()
        prices: dict[str, Decimal] = {}
        for account_id in await self._store.priced_accounts():
            try:
                prices[account_id] = (await self._prices.price_of(account_id, None, None)).price.unit_price
            except ServiceError as error:
                # Without its price the account's alert is neither raised nor resolved.
                self._log.upkeep_failed("alerts", error)
        evaluated = await self._store.evaluate(health_of(reports), prices)
        if evaluated is not None:
            self._meter.evaluated(evaluated.raised, evaluated.resolved)
        return evaluated


def health_of(reports: Sequence[CarrierReport]) -> list[CarrierHealth]:
    """The carriers that replicas reported lately. One that an operator took out of use is not down."""
    names = sorted({report.status.carrier.name for report in reports})
    found = []
    for name in names:
        own = [report.status for report in reports if report.status.carrier.name == name]
        wanted = [status for status in own if status.mode is CarrierMode.RUNNING]
        usable = any(status.carrier.is_up and status.breaker is not BreakerState.OPEN for status in wanted)
        balances = [status.carrier.balance for status in own if status.carrier.balance is not None]
        found.append(CarrierHealth(name, bool(wanted) and not usable, min(balances, default=None)))
    return found
