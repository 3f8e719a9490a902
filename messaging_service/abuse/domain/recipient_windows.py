"""How many messages a phone may have from an account in any 10 minutes.

The window slides: it ends now, wherever the clock stands, so that nobody gets twice as many around the edge of an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError
from service_kit.quotas import quota

WINDOW: Final = timedelta(minutes=10)
WINDOW_US: Final = WINDOW // timedelta(microseconds=1)
KEPT_US: Final = WINDOW_US + timedelta(minutes=1) // timedelta(microseconds=1)
"""How long an instant is kept: a transaction may have begun before one that ended first, and its window with it. No
transaction waits for another as long as the difference."""
OTPS_TO_A_PHONE: Final = 5
"""One-time codes to a phone in a window, where neither the account nor the operator has said otherwise."""


class Counted(StrEnum):
    """Which messages a window counts."""

    ALL = "all"
    OTPS = "otps"
    """Those with a tag for one-time codes."""


@dataclass(frozen=True, slots=True)
class OtpRule:
    """What the service takes for one-time codes, and how many of them a phone may have."""

    tags: frozenset[str] = frozenset({"otp"})
    """A message with one of these tags, in whatever case, is a one-time code. In lower case; empty: none is."""
    per_window: int | None = OTPS_TO_A_PHONE
    """To a phone in a window from an account that has no limit of its own; None for no limit."""

    def holds_for(self, tags: Iterable[str]) -> bool:
        """Whether a message with these tags is a one-time code."""
        return not self.tags.isdisjoint(map(str.lower, tags))


OTPS: Final = OtpRule()


class Allowed(NamedTuple):
    """How many a phone may have from an account in a window; None for what no window counts of a message."""

    messages: int | None
    codes: int | None


def limits_of(limits: AccountLimits, otps: OtpRule, *, is_otp: bool) -> Allowed:
    """The windows that count a message, with their limits."""
    codes = otps.per_window if limits.otps_per_recipient_window is None else limits.otps_per_recipient_window
    return Allowed(limits.messages_per_recipient_window, codes if is_otp else None)


def kept(sent_us: Sequence[int], now_us: int) -> list[int]:
    """Those of the instants, in microseconds, that some window may still count."""
    return [at for at in sent_us if at > now_us - KEPT_US]


def check_window(account_id: str, counted: Counted, limit: int, sent_us: Sequence[int], now_us: int) -> None:
    """Raises ServiceError RECIPIENT_LIMIT_REACHED when a phone has had its share.

    `sent_us`: the instants of what it got, in microseconds. One that lies ahead counts: transactions that wait for one
    another may have begun in another order.
    """
    if len(sent_us) < limit:
        return
    counting = sorted(at for at in sent_us if at > now_us - WINDOW_US)
    if len(counting) < limit:
        return
    # So many must leave the window before there is room for one.
    last_to_leave = counting[len(counting) - limit]
    what = "one-time codes" if counted is Counted.OTPS else "messages"
    raise ServiceError(
        Kind.OVERLOADED,
        reasons.RECIPIENT_LIMIT_REACHED,
        f"the account may send {limit} {what} to one phone in any 10 minutes and has; nothing was stored or charged, "
        "try again when the first of them is 10 minutes old",
        retry_after=timedelta(microseconds=max(last_to_leave + WINDOW_US - now_us, 1)),
        metadata={"account": account_id, **quota(f"recipient-{counted.value}", limit, WINDOW)},
    )
