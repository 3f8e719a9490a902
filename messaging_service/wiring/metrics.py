"""All figures of the service in one place, for bootstrap to hand out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import Gauge

from messaging_service.accounts.metrics.money_metrics import SettledMoney
from messaging_service.carriers.carrier_fleet import Fleet
from messaging_service.carriers.metrics.carrier_metrics import CarrierCollector
from messaging_service.events.metrics.event_metrics import CountedEvents
from messaging_service.notices.metrics.channel_metrics import ChannelMetrics
from messaging_service.notices.metrics.notice_metrics import NoticeMetrics
from messaging_service.prices.domain.price_copy import PriceCopy
from messaging_service.prices.metrics.price_copy_metrics import PriceCopyCollector
from messaging_service.receipts.metrics.receipt_metrics import CountedInbox
from messaging_service.receipts.receipt_inbox import ReceiptInbox
from messaging_service.sending.metrics.queue_metrics import QueueMetrics
from messaging_service.sending.metrics.sending_metrics import SendingMetrics
from messaging_service.shared.group_commit import GroupCommit
from messaging_service.shared.metrics.flush_metrics import FlushMetrics
from service_kit.grpc.grpc_metrics import ClientCalls, ServerCalls
from service_kit.metrics import new_registry
from service_kit.postgres.database import Pool
from service_kit.postgres.pool_metrics import PoolCollector


class MessagingMetrics:
    """A registry of its own, and everything that counts into it."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        """`pools` by the name that their figures carry."""
        self.registry = new_registry()
        self.registry.register(PoolCollector(pools))
        self.server_calls = ServerCalls(self.registry)
        self.pricing_calls = ClientCalls(self.registry)
        self.events = CountedEvents(self.registry)
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
