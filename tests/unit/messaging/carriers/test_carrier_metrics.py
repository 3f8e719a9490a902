"""Figures of several carriers, each as it stands at the scrape."""

from __future__ import annotations

from decimal import Decimal

from prometheus_client import CollectorRegistry

from messaging_service.carriers.carrier_fleet import MemberStatus
from messaging_service.carriers.carrier_traffic import Traffic
from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.carrier_status import BindState, BindStatus, CarrierStatus
from messaging_service.carriers.domain.circuit_breaker import BreakerState
from messaging_service.carriers.metrics.carrier_metrics import CarrierCollector

QUIET = Traffic(0, 0, 0, 0, ())
BUSY = MemberStatus(
    CarrierStatus(
        "safaricom",
        "smpp",
        is_up=True,
        window=14,
        in_use=9,
        binds=(
            BindStatus(1, BindState.UP, 10, 7, None),
            BindStatus(2, BindState.UP, 4, 2, None, is_throttled=True),
            BindStatus(3, BindState.WAITING, 0, 0, "ESME_RBINDFAIL"),
        ),
        remark=None,
    ),
    CarrierMode.RUNNING,
    BreakerState.CLOSED,
    QUIET,
)
IDLE = MemberStatus(
    CarrierStatus(
        "at", "africastalking", is_up=False, window=0, in_use=0, binds=(), remark="low", balance=Decimal("17.5")
    ),
    CarrierMode.PAUSED,
    BreakerState.HALF_OPEN,
    QUIET,
)


def test_each_carrier_shows_its_own_state() -> None:
    statuses = [BUSY, IDLE]
    registry = CollectorRegistry()
    registry.register(CarrierCollector(lambda: statuses))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"tukupay_carrier_{name}", labels)

    gauges = ("up", "window", "in_use", "throttled_binds", "breaker_open")
    assert [value(name, carrier="safaricom") for name in gauges] == [1, 14, 9, 1, 0]
    assert [value(name, carrier="at") for name in gauges] == [0, 0, 0, 0, 1]
    assert [value("binds", carrier="safaricom", state=state) for state in ("up", "waiting", "stopped")] == [2, 1, 0]
    assert [value("mode", carrier="at", mode=mode) for mode in ("running", "paused", "drained")] == [0, 1, 0]
    assert value("balance_kes", carrier="at") == 17.5
    assert value("balance_kes", carrier="safaricom") is None
    statuses.pop()
    assert value("up", carrier="at") is None
