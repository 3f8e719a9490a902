"""Pumping: numbers that are made up, or rented by the block, to earn on the messages that an account sends to them.

Real users are spread over the numbers of a country. Pumped numbers come in blocks that are sold as a whole, the
thousand numbers that differ in their last 3 digits alone, and often one after the other. So the numbers of a block that
an account sent to within 10 minutes are compared with what the account usually sends there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Final

from messaging_service.abuse.domain.recipient_windows import KEPT_US, WINDOW, WINDOW_US
from messaging_service.accounts.domain.account_limits import AccountLimits, PumpingGuard
from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError

DIGITS: Final = 3
"""Digits at the end of a number that do not count for its block."""
IN_A_BLOCK: Final = 10**DIGITS
SUSPECTED_FROM: Final = 10
"""Numbers of a block within the window."""
REFUSED_FROM: Final = 30
"""Numbers of a block within the window, where the account wants such messages refused."""
LONG_RUN: Final = 8
"""Numbers within the window that follow one another without a gap."""
TIMES_USUAL: Final = 10
"""Less than so many times what an account usually sends to a block is nothing to wonder at."""
USUAL_OVER: Final = timedelta(days=7)
WINDOWS_IN_USUAL: Final = USUAL_OVER // WINDOW
LEAST_TO_JUDGE: Final = min(SUSPECTED_FROM, LONG_RUN)
"""With fewer numbers a block looks well, whatever is usual."""


def block_of(phone: str) -> str:
    """The block of a number in E.164, such as `+254712345` of `+254712345678`."""
    return phone[:-DIGITS]


def place_of(phone: str) -> int:
    """Where in its block a number is, 0 to 999."""
    return int(phone[-DIGITS:])


def is_watched(limits: AccountLimits, *, is_otp: bool) -> bool:
    """Whether a message is watched: all of an account that has said so, and else its one-time codes.

    A campaign goes to many numbers of a block by nature, so nobody's other messages are judged unless they ask for it.
    """
    return is_otp if limits.pumping is None else limits.pumping is not PumpingGuard.OFF


class Verdict(Enum):
    """What the numbers of a block look like."""

    USUAL = "usual"
    SUSPECTED = "suspected"
    """Like pumping: the account is to be warned."""
    PUMPED = "pumped"
    """So much like pumping that messages are refused, where the account wants that."""


@dataclass(slots=True)
class BlockTraffic:
    """The numbers of one block that an account sent to, or tried to, within the window. Bounded: a block has 1,000."""

    seen_us: dict[int, int] = field(default_factory=dict)
    """When each number was last asked for, in microseconds, by its place in the block. What was refused counts too:
    a block stays refused for as long as the pumping goes on."""
    codes_us: dict[int, list[int]] = field(default_factory=dict)
    """When each number got its one-time codes, in microseconds; of accounts that have a limit for them."""
    sent_in_week: int = 0
    """Messages that left for the block in the 7 days before."""

    @classmethod
    def read(cls, seen: Iterable[int], codes: Iterable[int], now_us: int) -> BlockTraffic:
        """What was packed, without what no window counts any more."""
        traffic = cls()
        for at, place in (divmod(each, IN_A_BLOCK) for each in seen):
            if at > now_us - WINDOW_US:
                traffic.seen_us[place] = at
        for at, place in (divmod(each, IN_A_BLOCK) for each in codes):
            if at > now_us - KEPT_US:
                traffic.codes_us.setdefault(place, []).append(at)
        return traffic

    def packed_seen(self) -> list[int]:
        """One number for each: its instant in microseconds, and its place in the last 3 digits."""
        return [at * IN_A_BLOCK + place for place, at in self.seen_us.items()]

    def packed_codes(self) -> list[int]:
        """The same for each code."""
        return [at * IN_A_BLOCK + place for place, sent in self.codes_us.items() for at in sent]

    def note(self, phone: str, now_us: int) -> None:
        """Counts a number; the same one again counts once."""
        self.seen_us[place_of(phone)] = now_us

    def codes_of(self, phone: str) -> Sequence[int]:
        """When a number got its codes, in microseconds."""
        return self.codes_us.get(place_of(phone), ())

    def note_code(self, phone: str, now_us: int) -> None:
        """Counts a code to a number."""
        self.codes_us.setdefault(place_of(phone), []).append(now_us)

    @property
    def numbers(self) -> int:
        """How many different ones."""
        return len(self.seen_us)

    @property
    def usual(self) -> float:
        """Messages in a window, as the mean of the 7 days before; a block that is new has next to none."""
        return self.sent_in_week / WINDOWS_IN_USUAL

    @property
    def longest_run(self) -> int:
        """The most numbers that follow one another."""
        longest = run = 0
        before = -2
        for place in sorted(self.seen_us):
            run = run + 1 if place == before + 1 else 1
            longest, before = max(longest, run), place
        return longest

    def verdict(self) -> Verdict:
        """What these numbers look like."""
        numbers = self.numbers
        if numbers < LEAST_TO_JUDGE or numbers <= TIMES_USUAL * self.usual:
            return Verdict.USUAL
        is_run = self.longest_run >= LONG_RUN
        if is_run or numbers >= REFUSED_FROM:
            return Verdict.PUMPED
        return Verdict.SUSPECTED if numbers >= SUSPECTED_FROM else Verdict.USUAL


def pumping_refused(account_id: str) -> ServiceError:
    """The refusal of a message to a block that looks pumped. Says nothing of the numbers."""
    return ServiceError(
        Kind.OVERLOADED,
        reasons.PUMPING_SUSPECTED,
        "messages of the account to this block of numbers look like pumping, and it wants such refused; nothing was "
        "stored or charged. They go out again 10 minutes after it has stopped",
        retry_after=WINDOW,
        metadata={"account": account_id},
    )
