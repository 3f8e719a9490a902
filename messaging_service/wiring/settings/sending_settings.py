"""How messages are sent."""

from __future__ import annotations

from dataclasses import dataclass

from messaging_service.shared.numbering.destinations import HOME, AllowedDestinations, parse_destinations
from service_kit.settings import integer, seconds, setting


@dataclass(frozen=True, slots=True)
class SendingSettings:
    """Bounds of messages and of their attempts."""

    max_retries: int = setting(
        "SMS_MAX_RETRIES", "how often a failed message may be resent", parse=integer(0, 100), default=3
    )
    max_units: int = setting("SMS_MAX_UNITS", "most SMS units of one message", parse=integer(1, 20), default=10)
    destinations: AllowedDestinations = setting(
        "SMS_DESTINATIONS",
        "countries that messages may go to, by ISO codes with commas between, such as KE,UG; also "
        "calling codes, such as +881, or * for everywhere; others are refused with "
        "DESTINATION_NOT_ALLOWED",
        parse=parse_destinations,
        default=HOME,
        default_text="`KE`",
    )
    outcome_wait_s: float = setting(
        "SMS_OUTCOME_WAIT_S",
        "seconds that a call waits for the carrier's answer unless it gives its own time",
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
        "seconds after which an unknown outcome is sent again, for accounts that want that; never when "
        "it is as long as the window",
        parse=seconds(1, 7 * 86_400),
        default=300.0,
    )
    queue_window_s: float = setting(
        "SMS_QUEUE_WINDOW_S",
        "seconds that a due message waits for a carrier before it expires",
        parse=seconds(1, 7 * 86_400),
        default=3_600.0,
    )
    poll_s: float = setting(
        "SMS_POLL_S", "most seconds between two looks at the queue", parse=seconds(0.05, 60), default=0.5
    )
    sweep_s: float = setting(
        "SMS_SWEEP_S", "seconds between two looks for lapsed leases and windows", parse=seconds(0.1, 60), default=2.0
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a claim that could outlive its use."""
        if self.lease_s - self.lease_margin_s <= 0:
            raise ValueError("SMS_LEASE_MARGIN_S must be shorter than SMS_LEASE_S")
