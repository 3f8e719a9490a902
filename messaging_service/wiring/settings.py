"""Settings of the messaging service, all from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from messaging_service.accounts.domain.account import UnknownAccounts
from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.notices.domain.channels import WELL_KNOWN
from messaging_service.notices.domain.retries import PAUSES_S
from messaging_service.opt_outs.domain.opt_out_keywords import OPT_IN_WORDS, OPT_OUT_WORDS, folded
from messaging_service.shared.numbering.destinations import HOME, AllowedDestinations, parse_destinations
from messaging_service.wiring.channel_settings import SmtpRelay, channel_services, email_address, smtp_relay
from service_kit.settings import (
    Address,
    Network,
    address,
    choice,
    flag,
    integer,
    listen_address,
    names,
    networks,
    rising_seconds,
    seconds,
    setting,
)


def keywords(text: str) -> frozenset[str]:
    """Parses words with commas between; case and punctuation do not matter."""
    words = {word: folded(word) for word in names(text)}
    if empty := [word for word, letters in words.items() if not letters]:
        raise ValueError(f"{empty[0]!r} has neither letter nor digit")
    return frozenset(words.values())


_ONE_CARRIER = {
    "smpp_host": "SMPP_HOST",
    "smpp_port": "SMPP_PORT",
    "smpp_system_id": "SMPP_SYSTEM_ID",
    "smpp_password": "SMPP_PASSWORD",
}


def _charge_policy(text: str) -> ChargePolicy:
    try:
        return ChargePolicy(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither {' nor '.join(ChargePolicy)}") from None


def _unknown_accounts(text: str) -> UnknownAccounts:
    try:
        return UnknownAccounts(text)
    except ValueError:
        raise ValueError(f"{text!r} is none of {', '.join(UnknownAccounts)}") from None


@dataclass(frozen=True, slots=True)
class MessagingSettings:
    """What an operator can choose."""

    database_url: str = setting(
        "MESSAGING_DATABASE_URL", "libpq URL of the messaging database, with its password", secret=True
    )
    database_direct_url: str | None = setting(
        "MESSAGING_DATABASE_DIRECT_URL",
        "libpq URL of the same database past a connection pooler, for migrations and for signals between processes",
        default=None,
        secret=True,
    )
    carriers_file: Path | None = setting(
        "MESSAGING_CARRIERS_FILE",
        "TOML file of carriers and routes; without it there is one carrier, from the SMPP_ variables",
        parse=Path,
        default=None,
    )
    smpp_host: str | None = setting("SMPP_HOST", "host of the carrier's SMPP server", default=None)
    smpp_port: int | None = setting(
        "SMPP_PORT", "port of the carrier's SMPP server", parse=integer(1, 65_535), default=None
    )
    smpp_system_id: str | None = setting("SMPP_SYSTEM_ID", "the ESME's name at the carrier", default=None)
    smpp_password: str | None = setting(
        "SMPP_PASSWORD", "the ESME's password at the carrier", default=None, secret=True
    )
    smpp_name: str = setting("SMPP_NAME", "the carrier's name in records and metrics", default="smpp")
    smpp_system_type: str = setting("SMPP_SYSTEM_TYPE", "system_type of the bind", default="")
    smpp_binds: int = setting("SMPP_BINDS", "how many transceiver binds to hold", parse=integer(1, 100), default=1)
    smpp_max_binds: int = setting(
        "SMPP_MAX_BINDS",
        "binds that the carrier allows the account over all replicas, which share them by leases; 0 for no limit",
        parse=integer(0, 100),
        default=0,
    )
    smpp_bind_lease_s: float = setting(
        "SMPP_BIND_LEASE_S",
        "seconds after which the binds of a replica that died are taken over, where SMPP_MAX_BINDS is set",
        parse=seconds(1, 600),
        default=30.0,
    )
    smpp_window: int = setting(
        "SMPP_WINDOW", "submits in flight on one bind at most", parse=integer(1, 10_000), default=10
    )
    smpp_response_timeout_s: float = setting(
        "SMPP_RESPONSE_TIMEOUT_S",
        "seconds after which a submit without an answer is called unknown; shorter than the lease",
        parse=seconds(0.1, 300),
        default=10.0,
    )
    smpp_enquire_link_s: float = setting(
        "SMPP_ENQUIRE_LINK_S",
        "seconds without anything from the carrier after which the link is checked",
        parse=seconds(0.1, 600),
        default=30.0,
    )
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
    )
    pricing_address: Address = setting(
        "MESSAGING_PRICING_ADDRESS",
        "host:port of the pricing service",
        parse=address,
        default=Address("127.0.0.1", 50051),
    )
    pricing_timeout_s: float = setting(
        "MESSAGING_PRICING_TIMEOUT_S",
        "seconds that a price may take before the send fails with PRICING_UNAVAILABLE",
        parse=seconds(0.1, 30),
        default=2.0,
    )
    price_stale_s: float = setting(
        "MESSAGING_PRICE_STALE_S",
        "seconds that known prices serve after the last word of a watch of the price book that broke; 0 for never",
        parse=seconds(0, 600),
        default=60.0,
    )
    price_heartbeat_s: float = setting(
        "MESSAGING_PRICE_HEARTBEAT_S",
        "longest silence of a watch of the price book; three times as long ends it",
        parse=seconds(0.1, 60),
        default=1.0,
    )
    price_copy_answers: int = setting(
        "MESSAGING_PRICE_COPY_ANSWERS",
        "most accounts, each with every app it sends through, whose price is held in memory; 0 for none",
        parse=integer(0, 10_000_000),
        default=50_000,
    )
    pool_size: int = setting(
        "MESSAGING_POOL_SIZE", "most connections to the database", parse=integer(2, 100), default=10
    )
    pool_timeout_s: float = setting(
        "MESSAGING_POOL_TIMEOUT_S",
        "seconds that a call waits for a connection before it fails with DATABASE_UNAVAILABLE",
        parse=seconds(0.1, 30),
        default=2.0,
    )
    max_retries: int = setting(
        "SMS_MAX_RETRIES", "how often a failed message may be resent", parse=integer(0, 100), default=3
    )
    max_units: int = setting("SMS_MAX_UNITS", "SMS units of one message at most", parse=integer(1, 20), default=10)
    destinations: AllowedDestinations = setting(
        "SMS_DESTINATIONS",
        "countries that messages may go to, by ISO codes with commas between, such as KE,UG; also calling codes, such "
        "as +881, or * for everywhere",
        parse=parse_destinations,
        default=HOME,
    )
    unknown_accounts: UnknownAccounts = setting(
        "SMS_UNKNOWN_ACCOUNTS",
        "what happens when a userId sends that has no account: `postpaid` or `prepaid` opens one, `refuse` opens none",
        parse=_unknown_accounts,
        default=UnknownAccounts.POSTPAID,
    )
    outcome_wait_s: float = setting(
        "SMS_OUTCOME_WAIT_S",
        "seconds that a call waits for the carrier's answer when it does not say itself",
        parse=seconds(0, 60),
        default=5.0,
    )
    carrier_grace_s: float = setting(
        "SMS_CARRIER_GRACE_S",
        "seconds that a send due now waits for a carrier that is down before it is refused",
        parse=seconds(0, 60),
        default=2.0,
    )
    lease_s: float = setting(
        "SMS_LEASE_S",
        "seconds after which a claimed message of a dead process is unknown",
        parse=seconds(1, 600),
        default=30.0,
    )
    lease_margin_s: float = setting(
        "SMS_LEASE_MARGIN_S",
        "seconds before the end of its lease at which a claim is no longer used",
        parse=seconds(0.1, 300),
        default=5.0,
    )
    unknown_window_s: float = setting(
        "SMS_UNKNOWN_WINDOW_S",
        "seconds that an unknown outcome waits for a receipt before it expires and its hold is released",
        parse=seconds(1, 7 * 86_400),
        default=86_400.0,
    )
    unknown_resend_after_s: float = setting(
        "SMS_UNKNOWN_RESEND_AFTER_S",
        "seconds after which an unknown outcome is sent again, for accounts that want that; not after its window",
        parse=seconds(1, 7 * 86_400),
        default=300.0,
    )
    charge_policy: ChargePolicy = setting(
        "SMS_CHARGE_POLICY",
        "what is charged: acceptance by the carrier, or delivery, where undelivered messages are refunded",
        parse=_charge_policy,
        default=ChargePolicy.ACCEPTANCE,
    )
    receipt_retention_days: int = setting(
        "SMS_RECEIPT_RETENTION_DAYS",
        "days that delivery receipts are kept, which wait for nothing any more; 0 for ever",
        parse=integer(0, 3_650),
        default=90,
    )
    queue_window_s: float = setting(
        "SMS_QUEUE_WINDOW_S",
        "seconds that a due message waits for a carrier before it expires",
        parse=seconds(1, 7 * 86_400),
        default=3_600.0,
    )
    poll_s: float = setting(
        "SMS_POLL_S", "seconds between two looks at the queue at most", parse=seconds(0.05, 60), default=0.5
    )
    sweep_s: float = setting(
        "SMS_SWEEP_S", "seconds between two looks for lapsed leases and windows", parse=seconds(0.1, 60), default=2.0
    )
    opt_out_exempt_tags: frozenset[str] = setting(
        "SMS_OPT_OUT_EXEMPT_TAGS",
        "tags, with commas between, of messages that reach also phones which opted out, such as otp; none if unset",
        parse=names,
        default=frozenset(),
    )
    opt_out_keywords: frozenset[str] = setting(
        "SMS_OPT_OUT_KEYWORDS",
        "words, with commas between, by which a phone opts out",
        parse=keywords,
        default=frozenset(map(folded, OPT_OUT_WORDS)),
    )
    opt_in_keywords: frozenset[str] = setting(
        "SMS_OPT_IN_KEYWORDS",
        "words, with commas between, by which a phone takes that back",
        parse=keywords,
        default=frozenset(map(folded, OPT_IN_WORDS)),
    )
    keyword_position: str = setting(
        "SMS_KEYWORD_POSITION",
        "where a keyword counts: `message` when it is all that the phone wrote, `first-word` also when more follows",
        parse=choice("message", "first-word"),
        default="message",
    )
    inbound_retention_s: float = setting(
        "SMS_INBOUND_RETENTION_S",
        "seconds that the record of a message from a phone is kept; its text is erased as soon as it was read",
        parse=seconds(0, 10 * 366 * 86_400),
        default=30 * 86_400.0,
    )
    watch_poll_s: float = setting(
        "MESSAGING_WATCH_POLL_S",
        "seconds between two looks for new events at most, while somebody watches",
        parse=seconds(0.02, 60),
        default=0.25,
    )
    max_watches: int = setting(
        "MESSAGING_MAX_WATCHES",
        "watches of entries and accounts that a process serves at a time",
        parse=integer(0, 100_000),
        default=1_000,
    )
    watch_buffer: int = setting(
        "MESSAGING_WATCH_BUFFER",
        "events that may wait for one watcher before its watch is ended",
        parse=integer(1, 1_000_000),
        default=10_000,
    )
    watch_resume_s: float = setting(
        "MESSAGING_WATCH_RESUME_S",
        "seconds for which a cursor of a watch may be used",
        parse=seconds(60, 30 * 86_400),
        default=86_400.0,
    )
    flush_target_s: float = setting(
        "MESSAGING_FLUSH_TARGET_S",
        "seconds that recording a batch should take at most; longer ones make the next batches smaller",
        parse=seconds(0.001, 10),
        default=0.1,
    )
    alert_every_s: float = setting(
        "ALERT_EVERY_S",
        "seconds between two looks at what accounts want to be warned of, of all processes together",
        parse=seconds(0.05, 3_600),
        default=5.0,
    )
    alert_retention_days: int = setting(
        "ALERT_RETENTION_DAYS",
        "days that alerts are kept after they were resolved; 0 for ever",
        parse=integer(0, 3_650),
        default=365,
    )
    webhook_poll_s: float = setting(
        "WEBHOOK_POLL_S",
        "seconds between two looks for events to post to webhooks, and for posts that are due",
        parse=seconds(0.02, 60),
        default=1.0,
    )
    webhook_timeout_s: float = setting(
        "WEBHOOK_TIMEOUT_S",
        "seconds that one post to a webhook may take, from its name to its answer",
        parse=seconds(0.1, 30),
        default=15.0,
    )
    webhook_concurrency: int = setting(
        "WEBHOOK_CONCURRENCY",
        "webhooks that a process posts to at a time; to each one after another",
        parse=integer(1, 1_000),
        default=20,
    )
    webhook_give_up_after_s: float = setting(
        "WEBHOOK_GIVE_UP_AFTER_S",
        "seconds for which a delivery is tried; what is on record keeps the end that it was given",
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
        "seconds at most for which a webhook is left alone when the delivery that failed has stepped aside",
        parse=seconds(1, 86_400),
        default=120.0,
    )
    webhook_max_per_account: int = setting(
        "WEBHOOK_MAX_PER_ACCOUNT",
        "webhooks that an account may have; those beyond it that there are stay",
        parse=integer(1, 1_000),
        default=20,
    )
    webhook_retention_days: int = setting(
        "WEBHOOK_RETENTION_DAYS",
        "days that deliveries are shown and can be replayed",
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
        "networks, with commas between, that webhooks may lead to although they are not public, such as 10.1.0.0/16",
        parse=networks,
        default=(),
    )
    channel_services: frozenset[str] = setting(
        "CHANNEL_SERVICES",
        "services of apprise, by the schemas of their URLs with commas between, that channels may lead to",
        parse=channel_services,
        default=WELL_KNOWN,
    )
    channel_allowed_networks: tuple[Network, ...] = setting(
        "CHANNEL_ALLOWED_NETWORKS",
        "networks, with commas between, that services of channels may be at although they are not public",
        parse=networks,
        default=(),
    )
    channel_smtp_url: SmtpRelay | None = setting(
        "CHANNEL_SMTP_URL",
        "the mail relay of channels, such as smtp+starttls://user:password@mail.example.com:587; unset for none",
        parse=smtp_relay,
        default=None,
        secret=True,
    )
    channel_email_from: str | None = setting(
        "CHANNEL_EMAIL_FROM",
        "the address that channels by email write from; required with CHANNEL_SMTP_URL",
        parse=email_address,
        default=None,
    )
    channel_timeout_s: float = setting(
        "CHANNEL_TIMEOUT_S",
        "seconds that telling one channel may take, before the process that does it is ended",
        parse=seconds(0.1, 30),
        default=20.0,
    )
    channel_concurrency: int = setting(
        "CHANNEL_CONCURRENCY",
        "channels that are told at a time, each by a process of its own; there is one more to look at new targets",
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
        "seconds within which failed messages are told in one text; 0 tells of each as soon as it is seen",
        parse=seconds(0, 3_600),
        default=60.0,
    )
    channel_max_per_account: int = setting(
        "CHANNEL_MAX_PER_ACCOUNT",
        "channels that an account may have; those beyond it that there are stay",
        parse=integer(1, 1_000),
        default=20,
    )
    drain_s: float = setting(
        "MESSAGING_DRAIN_S",
        "seconds that running calls and submits may take to end after SIGTERM",
        parse=seconds(0, 300),
        default=20.0,
    )

    @classmethod
    def cross_check(cls, values: Mapping[str, object]) -> list[str]:
        """What is missing or too much of the carriers."""
        given = {name for name in _ONE_CARRIER if name in values}
        if values.get("carriers_file") is not None:
            return [f"{_ONE_CARRIER[name]}: the carriers are in MESSAGING_CARRIERS_FILE, unset it" for name in given]
        return [
            f"{env}: is required where MESSAGING_CARRIERS_FILE is not set"
            for name, env in _ONE_CARRIER.items()
            if name not in given
        ]

    def __post_init__(self) -> None:
        """Raises ValueError for settings that do not go together, such as a claim that could outlive its use."""
        usable_s = self.lease_s - self.lease_margin_s
        if usable_s <= 0:
            raise ValueError("SMS_LEASE_MARGIN_S must be shorter than SMS_LEASE_S")
        if self.webhook_retention_days * 86_400 < self.webhook_give_up_after_s + 86_400:
            raise ValueError(
                "WEBHOOK_RETENTION_DAYS must be a day longer than WEBHOOK_GIVE_UP_AFTER_S at least, so that what was "
                "given up can be seen and replayed"
            )
        if (self.channel_smtp_url is None) != (self.channel_email_from is None):
            raise ValueError("CHANNEL_SMTP_URL and CHANNEL_EMAIL_FROM go together; set both or neither")
        if both := sorted(self.opt_out_keywords & self.opt_in_keywords):
            raise ValueError(f"SMS_OPT_OUT_KEYWORDS and SMS_OPT_IN_KEYWORDS share {', '.join(both)}; keep each in one")
