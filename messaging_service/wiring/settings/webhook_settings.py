"""How webhooks are posted to."""

from __future__ import annotations

from dataclasses import dataclass

from messaging_service.notices.domain.retries import PAUSES_S
from service_kit.settings import Network, flag, integer, networks, rising_seconds, seconds, setting


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """How deliveries to webhooks are tried."""

    webhook_poll_s: float = setting(
        "WEBHOOK_POLL_S",
        "seconds between two looks for events to post to webhooks, and for posts that are due",
        parse=seconds(0.02, 60),
        default=1.0,
        guide="guides/webhooks.md",
    )
    webhook_timeout_s: float = setting(
        "WEBHOOK_TIMEOUT_S",
        "seconds that one post to a webhook may take, from its name to its answer",
        parse=seconds(0.1, 30),
        default=15.0,
    )
    webhook_concurrency: int = setting(
        "WEBHOOK_CONCURRENCY",
        "most webhooks that a process posts to at a time; each gets one post after another",
        parse=integer(1, 1_000),
        default=20,
    )
    webhook_give_up_after_s: float = setting(
        "WEBHOOK_GIVE_UP_AFTER_S",
        "seconds for which a delivery is tried; a delivery on record keeps the end that it was given",
        parse=seconds(60, 30 * 86_400),
        default=86_400.0,
    )
    webhook_pauses_s: tuple[float, ...] = setting(
        "WEBHOOK_PAUSES_S",
        "seconds, with commas between, before the second try of a delivery, the third and so on; the last one repeats",
        parse=rising_seconds(1, 86_400),
        default=PAUSES_S,
    )
    webhook_in_order_tries: int = setting(
        "WEBHOOK_IN_ORDER_TRIES",
        "failed tries of a delivery for which those behind it wait, before it steps aside",
        parse=integer(1, 1_000),
        default=3,
    )
    webhook_endpoint_pause_s: float = setting(
        "WEBHOOK_ENDPOINT_PAUSE_S",
        "most seconds for which a failing webhook is left alone once a delivery has stepped aside",
        parse=seconds(1, 86_400),
        default=120.0,
    )
    webhook_max_per_account: int = setting(
        "WEBHOOK_MAX_PER_ACCOUNT",
        "most webhooks for an account; existing ones above the limit are kept",
        parse=integer(1, 1_000),
        default=20,
    )
    webhook_retention_days: int = setting(
        "WEBHOOK_RETENTION_DAYS",
        "days that deliveries are shown and can be replayed; at least a day longer than they are tried",
        parse=integer(2, 3_650),
        default=30,
    )
    webhook_allow_http: bool = setting(
        "WEBHOOK_ALLOW_HTTP",
        "whether webhooks may be plain http; their bodies can then be read and changed on the way",
        parse=flag,
        default=False,
    )
    webhook_allowed_networks: tuple[Network, ...] = setting(
        "WEBHOOK_ALLOWED_NETWORKS",
        "private networks, with commas between, that webhooks may use, such as 10.1.0.0/16",
        parse=networks,
        default=(),
    )

    def __post_init__(self) -> None:
        """Raises ValueError when deliveries would be forgotten too soon."""
        if self.webhook_retention_days * 86_400 < self.webhook_give_up_after_s + 86_400:
            raise ValueError(
                "WEBHOOK_RETENTION_DAYS must be a day longer than WEBHOOK_GIVE_UP_AFTER_S at least, so that what was "
                "given up can be seen and replayed"
            )
