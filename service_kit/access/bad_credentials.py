"""Limits how many bad credentials an address may show: guessing is slow, and one that is wrong in a loop is cheap."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from service_kit import reasons
from service_kit.errors import Kind, ServiceError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_ADDRESSES: Final = 10_000
_SUBSCRIBER_BITS: Final = 64
"""Of an IPv6 address: what providers give to one subscriber, who may change all the others."""
_MINUTE_S: Final = 60.0


class BadCredentials:
    """A bucket for each address. Nobody is limited by what others do, and a good credential is never counted.

    The address heard of longest ago is forgotten when there are more than MAX_ADDRESSES.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        """`per_minute`: bad credentials that an address may show in a minute, and at once.

        `clock`: seconds, monotonic.
        """
        self._most = float(per_minute)
        self._per_s = per_minute / _MINUTE_S
        self._clock = clock
        self._left: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def shown(self, address: IpAddress | None) -> float | None:
        """Counts a bad credential. The seconds to wait when there were too many, else None.

        Addresses that are not known share one bucket.
        """
        key = _subscriber(address)
        now = self._clock()
        left, since = self._left.pop(key, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_s)
        is_allowed = left >= 1
        if is_allowed:
            left -= 1
        self._left[key] = (left, now)
        if len(self._left) > MAX_ADDRESSES:
            self._left.popitem(last=False)
        return None if is_allowed else (1 - left) / self._per_s


def _subscriber(address: IpAddress | None) -> object:
    if isinstance(address, ipaddress.IPv6Address):
        return int(address) >> _SUBSCRIBER_BITS
    return address


def too_many(wait_s: float) -> ServiceError:
    """The refusal of a bad credential of an address that showed too many; no more is said of it."""
    return ServiceError(
        Kind.OVERLOADED,
        reasons.TOO_MANY_BAD_CREDENTIALS,
        "too many credentials from this address were not valid; correct yours, and try again after the delay",
        retry_after=timedelta(seconds=wait_s),
    )
