"""All settings of the messaging service."""

from __future__ import annotations

from dataclasses import dataclass

from messaging_service.wiring.settings.access_settings import AccessSettings
from messaging_service.wiring.settings.account_settings import AccountSettings
from messaging_service.wiring.settings.alert_settings import AlertSettings
from messaging_service.wiring.settings.carrier_settings import CarrierSettings
from messaging_service.wiring.settings.channel_settings import ChannelSettings
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from messaging_service.wiring.settings.opt_out_settings import OptOutSettings
from messaging_service.wiring.settings.price_settings import PriceSettings
from messaging_service.wiring.settings.privacy_settings import PrivacySettings
from messaging_service.wiring.settings.receipt_settings import ReceiptSettings
from messaging_service.wiring.settings.sending_settings import SendingSettings
from messaging_service.wiring.settings.watch_settings import WatchSettings
from messaging_service.wiring.settings.webhook_settings import WebhookSettings
from service_kit.settings import Address, group, listen_address, seconds, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingSettings:
    """What an operator can choose."""

    grpc_address: Address = setting(
        "MESSAGING_GRPC_ADDRESS",
        "host:port to listen on",
        parse=listen_address,
        default=Address("127.0.0.1", 50052),
    )
    metrics_address: Address | None = setting(
        "MESSAGING_METRICS_ADDRESS",
        "host:port that serves /metrics to Prometheus, apart from all else; unset for none",
        parse=listen_address,
        default=None,
        guide="guides/metrics.md",
    )
    drain_s: float = setting(
        "MESSAGING_DRAIN_S",
        "seconds that running calls and submits may take to end after SIGTERM",
        parse=seconds(0, 300),
        default=20.0,
    )
    access: AccessSettings = group(AccessSettings)
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
