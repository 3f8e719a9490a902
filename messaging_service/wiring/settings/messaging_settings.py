"""All settings of the messaging service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from messaging_service.wiring.settings.access_settings import AccessSettings
from messaging_service.wiring.settings.account_settings import AccountSettings
from messaging_service.wiring.settings.alert_settings import AlertSettings
from messaging_service.wiring.settings.carrier_settings import CarrierSettings
from messaging_service.wiring.settings.channel_settings import ChannelSettings
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from messaging_service.wiring.settings.messaging_tls import MessagingTls, PricingCallTls
from messaging_service.wiring.settings.messaging_tracing import MessagingTracing
from messaging_service.wiring.settings.month_settings import MonthSettings
from messaging_service.wiring.settings.opt_out_settings import OptOutSettings
from messaging_service.wiring.settings.price_settings import PriceSettings
from messaging_service.wiring.settings.privacy_settings import PrivacySettings
from messaging_service.wiring.settings.receipt_settings import ReceiptSettings
from messaging_service.wiring.settings.sending_settings import SendingSettings
from messaging_service.wiring.settings.watch_settings import WatchSettings
from messaging_service.wiring.settings.webhook_settings import WebhookSettings
from service_kit.access.requirement import Access
from service_kit.settings import Address, address, group, seconds, setting
from service_kit.tls.tls_settings import calling_problems, listening_problems
from service_kit.web import probe_listener


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingSettings:
    """What an operator can choose."""

    grpc_address: Address = setting(
        "MESSAGING_GRPC_ADDRESS",
        "host:port to listen on; with MESSAGING_ACCESS=required and TLS also where other machines reach it",
        parse=address,
        default=Address("127.0.0.1", 50052),
    )
    metrics_address: Address | None = setting(
        "MESSAGING_METRICS_ADDRESS",
        "host:port that serves /metrics to Prometheus, apart from all else, in plaintext; unset for none",
        parse=address,
        default=None,
        guide="guides/metrics.md",
    )
    probes_address: Address | None = setting(
        "MESSAGING_PROBES_ADDRESS", probe_listener.MEANING, parse=address, default=None, guide=probe_listener.GUIDE
    )
    drain_s: float = setting(
        "MESSAGING_DRAIN_S",
        "seconds that running calls and submits may take to end after SIGTERM",
        parse=seconds(0, 300),
        default=20.0,
    )
    pre_drain_s: float = setting(
        "MESSAGING_PRE_DRAIN_S",
        "seconds after SIGTERM for which calls are still taken, so that connected callers go to other replicas first",
        parse=seconds(0, 60),
        default=1.0,
        guide=probe_listener.GUIDE,
    )
    access: AccessSettings = group(AccessSettings)
    tls: MessagingTls = group(MessagingTls, default=MessagingTls())
    pricing_tls: PricingCallTls = group(PricingCallTls, default=PricingCallTls())
    tracing: MessagingTracing = group(MessagingTracing, default=MessagingTracing())
    database: DatabaseSettings = group(DatabaseSettings)
    prices: PriceSettings = group(PriceSettings)
    carriers: CarrierSettings = group(CarrierSettings)
    sending: SendingSettings = group(SendingSettings)
    accounts: AccountSettings = group(AccountSettings)
    receipts: ReceiptSettings = group(ReceiptSettings)
    opt_outs: OptOutSettings = group(OptOutSettings)
    events: WatchSettings = group(WatchSettings)
    alerts: AlertSettings = group(AlertSettings)
    webhooks: WebhookSettings = group(WebhookSettings)
    channels: ChannelSettings = group(ChannelSettings)
    privacy: PrivacySettings = group(PrivacySettings)
    months: MonthSettings = group(MonthSettings)

    @classmethod
    def cross_check(cls, values: Mapping[str, Any]) -> list[str]:
        """What would leave its listener, or its calls to pricing, without protection."""
        return [
            *listening_problems(
                "MESSAGING",
                "MESSAGING_GRPC_ADDRESS",
                values.get("grpc_address"),
                authenticates=values["access"].get("access") is Access.REQUIRED,
                tls=values["tls"],
            ),
            *calling_problems(
                "MESSAGING_PRICING",
                "MESSAGING_PRICING_ADDRESS",
                values["prices"].get("pricing_address"),
                values["pricing_tls"],
            ),
        ]
