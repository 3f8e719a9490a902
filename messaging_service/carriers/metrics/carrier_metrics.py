"""How the carriers stand, as this process sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from messaging_service.carriers.carrier_fleet import MemberStatus
from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.carrier_status import BindState
from messaging_service.carriers.domain.circuit_breaker import BreakerState


class CarrierCollector(Collector):
    """Asks at each scrape; costs sends nothing."""

    def __init__(self, statuses: Callable[[], Sequence[MemberStatus]]) -> None:
        self._statuses = statuses

    def collect(self) -> Iterator[Metric]:
        """The figures of all carriers."""
        statuses = self._statuses()
        yield from (
            _gauge("up", "1 when the carrier can take messages now.", statuses, lambda each: each.carrier.is_up),
            _gauge(
                "window",
                "Submits that may be in flight; falls while the carrier throttles.",
                statuses,
                lambda each: each.carrier.window,
            ),
            _gauge("in_use", "Places of the window that are taken.", statuses, lambda each: each.carrier.in_use),
            _gauge(
                "throttled_binds",
                "Binds on which the carrier asked for a slower pace, and whose window has not grown back since.",
                statuses,
                lambda each: sum(bind.is_throttled for bind in each.carrier.binds),
            ),
            _gauge(
                "breaker_open",
                "1 while the carrier is left alone, or tried with single messages, as it failed too often.",
                statuses,
                lambda each: each.breaker is not BreakerState.CLOSED,
            ),
        )
        mode = GaugeMetricFamily(
            "tukupay_carrier_mode", "1 for what the operator wants of the carrier.", labels=["carrier", "mode"]
        )
        binds = GaugeMetricFamily(
            "tukupay_carrier_binds", "Binds of the carrier by what they are doing.", labels=["carrier", "state"]
        )
        for each in statuses:
            for wanted in CarrierMode:
                mode.add_metric([each.carrier.name, wanted.value], each.mode is wanted)
            states = [bind.state for bind in each.carrier.binds]
            for state in BindState:
                binds.add_metric([each.carrier.name, state.value], states.count(state))
        yield mode
        yield binds
        balance = GaugeMetricFamily(
            "tukupay_carrier_balance_kes",
            "What our own account at the carrier held when it was last looked at, where it says.",
            labels=["carrier"],
        )
        for each in statuses:
            if each.carrier.balance is not None:
                balance.add_metric([each.carrier.name], float(each.carrier.balance))
        yield balance


def _gauge(
    name: str, text: str, statuses: Sequence[MemberStatus], value_of: Callable[[MemberStatus], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"tukupay_carrier_{name}", text, labels=["carrier"])
    for each in statuses:
        family.add_metric([each.carrier.name], value_of(each))
    return family
