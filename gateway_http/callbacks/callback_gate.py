"""Decides who may post under the paths for carriers: callers that know a secret, from an allowed address.

Carriers do not sign what they post, so the path holds a secret, and the addresses that they post from are
listed. A caller that fails either gets the answer for a path that does not exist.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.types import Scope

from gateway_http.shared.client_address import IpAddress, address_of, is_within
from service_kit.settings import Network

PREFIX: Final = "/carriers/"
"""What all paths for carriers begin with."""

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{16,128}")


def callback_secrets(text: str) -> tuple[tuple[str, str], ...]:
    """Parses `carrier=secret,carrier=secret` into pairs; a carrier with two secrets is changing them.

    Raises ValueError that shows no secret.
    """
    pairs: list[tuple[str, str]] = []
    for number, part in enumerate(text.split(","), start=1):
        carrier, separator, secret = part.strip().rpartition("=")
        if not separator or not carrier:
            raise ValueError(f"entry {number} is not carrier=secret")
        if not _SECRET.fullmatch(secret):
            raise ValueError(f"the secret of {carrier} is not 16 to 128 of A-Z, a-z, 0-9, _ and -")
        pairs.append((carrier, secret))
    if len({secret for _, secret in pairs}) < len(pairs):
        raise ValueError("a secret is given twice; each one stands for one carrier")
    return tuple(pairs)


class CallbackGate:
    """Compares secrets in constant time, and finds out where a request comes from."""

    def __init__(
        self, secrets: Iterable[tuple[str, str]], allowed: Sequence[Network], proxies: Sequence[Network]
    ) -> None:
        """`secrets` by carrier; no `allowed` means this machine only; `proxies` are those that are believed."""
        self._carriers = [(_digest(secret), carrier) for carrier, secret in secrets]
        self._allowed = allowed
        self._proxies = proxies

    @property
    def is_open(self) -> bool:
        """Whether anybody may post at all."""
        return bool(self._carriers)

    def carrier_of(self, secret: str) -> str | None:
        """The carrier that knows this secret; None when no carrier does. Takes equally long for each."""
        given, found = _digest(secret), None
        for known, carrier in self._carriers:
            if hmac.compare_digest(given, known):
                found = carrier
        return found

    def lets_in(self, scope: Scope) -> bool:
        """Whether the request comes from an allowed address."""
        address = self.address_of(scope)
        if address is None:
            return False
        if not self._allowed:
            return address.is_loopback
        return is_within(address, self._allowed)

    def address_of(self, scope: Scope) -> IpAddress | None:
        """Where a request comes from; None when that is not known."""
        return address_of(scope, self._proxies)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
