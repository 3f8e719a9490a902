"""All figures of the service in one place, for bootstrap to hand out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from prometheus_client import Gauge

from messaging_service.accounts.metrics.money_metrics import SettledMoney
from messaging_service.carriers.carrier_fleet import Fleet
from messaging_service.carriers.metrics.carrier_metrics import CarrierCollector
from messaging_service.carriers.metrics.fleet_events import CountedFleet
from messaging_service.notices.metrics.channel_metrics import ChannelMetrics
from messaging_service.notices.metrics.notice_metrics import NoticeMetrics
from messaging_service.opt_outs.metrics.opt_out_events import CountedOptOuts
from messaging_service.prices.domain.price_copy import PriceCopy
from messaging_service.prices.metrics.price_copy_metrics import PriceCopyCollector
from messaging_service.receipts.metrics.receipt_metrics import CountedInbox
from messaging_service.receipts.metrics.upkeep_events import CountedUpkeep
from messaging_service.receipts.receipt_inbox import ReceiptInbox
from messaging_service.sending.metrics.attempt_events import CountedAttempts
from messaging_service.sending.metrics.queue_metrics import QueueMetrics
from messaging_service.sending.metrics.sending_metrics import SendingMetrics
from messaging_service.shared.group_commit import GroupCommit
from messaging_service.shared.metrics.flush_metrics import FlushMetrics
from service_kit.duties.duty_failures import DutyFailures
from service_kit.grpc.grpc_metrics import ClientCalls, ServerCalls
from service_kit.metrics import new_registry
from service_kit.postgres.database import Pool
from service_kit.postgres.pool_metrics import PoolCollector

DUTIES: Final = (
    "attempt",
    "settlement",
    "claims",
    "carriers",
    "outcomes",
    "late_outcomes",
    "watching",
    "sweep",
    "receipts",
    "inbound",
    "opt_outs",
    "inbound_retention",
    "receipt_retention",
    "alert_retention",
    "queue_look",
    "webhook_telling",
    "webhook_deliveries",
    "channel_deliveries",
    "webhook_look",
    "alerts",
)
"""Shown from the start with a nought, so that the first failure is a rise."""


class MessagingMetrics:
    """A registry of its own, and everything that counts into it."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        """`pools` by the name that their figures carry."""
        self.registry = new_registry()
        self.registry.register(PoolCollector(pools))
        self.server_calls = ServerCalls(self.registry)
        self.pricing_calls = ClientCalls(self.registry)
        self.failures = DutyFailures(self.registry, DUTIES)
        self.attempts = CountedAttempts(self.failures)
        self.fleet = CountedFleet(self.registry)
        self.opt_outs = CountedOptOuts(self.failures, self.registry)
        self.upkeep = CountedUpkeep(self.failures, self.registry)
        self.flushes = FlushMetrics(self.registry)
        self._settled = SettledMoney(self.registry)
        self.sending = SendingMetrics(self._settled, self.registry)
        self.queue = QueueMetrics(self.registry)
        self.notices = NoticeMetrics(self.registry)
        self.channels = ChannelMetrics(self.registry)

    def inbox(self, inbox: ReceiptInbox) -> ReceiptInbox:
        """The inbox with its work counted."""
        return CountedInbox(inbox, self._settled, self.registry)

    def watch_watches(self, watches: Callable[[], int]) -> None:
        """Shows how many watches of entries and accounts are open, asked at each scrape."""
        gauge = Gauge(
            "tukupay_outbox_watches", "Watches of entries and accounts that are open.", registry=self.registry
        )
        gauge.set_function(watches)

    def watch_prices(self, copy: PriceCopy, questions: GroupCommit[Any, Any]) -> None:
        """Shows the copy of the price book, and the questions that wait for one another."""
        self.registry.register(PriceCopyCollector(copy))
        self.flushes.watch("prices", questions)

    def watch_engine(
        self, fleet: Fleet, acceptances: GroupCommit[Any, Any], settlements: GroupCommit[Any, Any]
    ) -> None:
        """Shows the carriers, and the commits that messages wait for."""
        self.registry.register(CarrierCollector(fleet.statuses))
        self.flushes.watch("acceptance", acceptances)
        self.flushes.watch("settlement", settlements)
