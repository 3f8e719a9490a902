"""How people are notified."""

from __future__ import annotations

from dataclasses import dataclass

from messaging_service.notices.domain.channels import WELL_KNOWN
from messaging_service.wiring.settings.channel_values import SmtpRelay, channel_services, email_address, smtp_relay
from service_kit.settings import Network, integer, networks, seconds, setting


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """What delivers to channels, and where they may lead."""

    channel_services: frozenset[str] = setting(
        "CHANNEL_SERVICES",
        "services of apprise that channels may use, by the schemas of their URLs with commas between",
        parse=channel_services,
        default=WELL_KNOWN,
        default_text="the [well-known ones](guides/channels.md#which-services)",
        guide="guides/channels.md",
    )
    channel_allowed_networks: tuple[Network, ...] = setting(
        "CHANNEL_ALLOWED_NETWORKS",
        "private networks, with commas between, that a channel's service may use",
        parse=networks,
        default=(),
    )
    channel_smtp_url: SmtpRelay | None = setting(
        "CHANNEL_SMTP_URL",
        "the mail relay of channels, such as smtp+starttls://user:password@mail.example.com:587, also "
        "smtp:// and smtps://; unset for none",
        parse=smtp_relay,
        default=None,
        secret=True,
    )
    channel_email_from: str | None = setting(
        "CHANNEL_EMAIL_FROM",
        "the sender's address of channels by email; required with CHANNEL_SMTP_URL",
        parse=email_address,
        default=None,
    )
    channel_timeout_s: float = setting(
        "CHANNEL_TIMEOUT_S",
        "seconds that one delivery to a channel may take before its process is ended",
        parse=seconds(0.1, 30),
        default=20.0,
    )
    channel_concurrency: int = setting(
        "CHANNEL_CONCURRENCY",
        "most channels that are delivered to at a time, each by a process of about 50 MB; one more "
        "process checks new targets",
        parse=integer(1, 20),
        default=2,
    )
    channel_idle_s: float = setting(
        "CHANNEL_IDLE_S",
        "seconds without work after which such a process ends",
        parse=seconds(0, 86_400),
        default=60.0,
    )
    channel_join_s: float = setting(
        "CHANNEL_JOIN_S",
        "failed messages of this many seconds are joined in one text; 0 for a text at each look",
        parse=seconds(0, 3_600),
        default=60.0,
    )
    channel_max_per_account: int = setting(
        "CHANNEL_MAX_PER_ACCOUNT",
        "most channels for an account; existing ones above the limit are kept",
        parse=integer(1, 1_000),
        default=20,
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a mail relay without a sender, or the reverse."""
        if (self.channel_smtp_url is None) != (self.channel_email_from is None):
            raise ValueError("CHANNEL_SMTP_URL and CHANNEL_EMAIL_FROM go together; set both or neither")
