"""What an operator should see of opt-outs, logged and counted. Never a text or a full phone number."""

from __future__ import annotations

import structlog
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry
from typing_extensions import override

from messaging_service.opt_outs.inbound_inbox import WorkedInbound
from messaging_service.opt_outs.inbound_processor import InboundLog
from messaging_service.opt_outs.opt_outs import OptOutLog
from messaging_service.shared.metrics.counted_duties import CountedDuties
from service_kit.duties.duty_failures import DutyFailures

log = structlog.get_logger()


class CountedOptOuts(CountedDuties, InboundLog, OptOutLog):
    """Implements InboundLog and OptOutLog."""

    def __init__(self, failures: DutyFailures, registry: CollectorRegistry) -> None:
        super().__init__(failures)
        asked = Counter(
            "tukupay_opt_out_words",
            "Messages from phones, and reports of carriers, that opted out or in.",
            ("directive",),
            registry=registry,
        )
        self._opted_out = asked.labels("opt_out")
        self._opted_in = asked.labels("opt_in")
        self._stopped = Counter(
            "tukupay_opt_out_cancelled", "Queued messages cancelled as their phones opted out.", registry=registry
        )

    @override
    def opted(self, worked: WorkedInbound) -> None:
        self._opted_out.inc(worked.opted_out)
        self._opted_in.inc(worked.opted_in)
        log.info("inbound.opted", opted_out=worked.opted_out, opted_in=worked.opted_in)

    @override
    def queued_stopped(self, messages: int) -> None:
        self._stopped.inc(messages)
        log.info("opt_outs.queued_cancelled", messages=messages)
