"""Where a URL leads, and whether we may connect there."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx
from typing_extensions import override

from messaging_service.notices.domain.endpoints import EndpointKind
from messaging_service.notices.domain.targets import Address, Network, is_outward, url_problem
from messaging_service.notices.endpoint_targets import CheckedTarget, EndpointTargets

RESOLVE_S: Final = 5.0
"""Longest wait for a name."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name. Raises OSError when there are none."""


class TargetRefusedError(Exception):
    """A URL must not be called. The argument is a sentence for its owner."""


class TargetUnknownError(Exception):
    """A name has no address now."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Looks the name up with this machine's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class GuardedTargets(EndpointTargets):
    """Checks URLs of webhooks. A name is refused when any of its addresses is."""

    def __init__(self, allowed: Sequence[Network], *, allow_http: bool, resolve: Resolve = system_resolve) -> None:
        """`allowed`: private networks that may be called."""
        self._allowed = allowed
        self._allow_http = allow_http
        self._resolve = resolve

    @override
    async def check(self, kind: EndpointKind, target: str) -> CheckedTarget:
        try:
            await self.addresses(target)
        except TargetRefusedError as error:
            return CheckedTarget("", str(error))
        except TargetUnknownError:
            problem = "names a host that has no address now; correct it, or wait until its name is known"
            return CheckedTarget("", problem)
        return CheckedTarget(target, None)

    async def addresses(self, url: str) -> list[Address]:
        """The only addresses to connect to: the name may lead elsewhere a moment later.

        Raises TargetRefusedError or TargetUnknownError.
        """
        if problem := url_problem(url, allow_http=self._allow_http):
            raise TargetRefusedError(problem)
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise TargetRefusedError("is not a URL; write it like https://example.com/hooks") from None
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await self._resolve(parsed.host, parsed.port or 443)
            addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(found)]
        except (OSError, TimeoutError, UnicodeError, ValueError):
            raise TargetUnknownError from None
        if not addresses:
            raise TargetUnknownError
        if not all(is_outward(address, self._allowed) for address in addresses):
            # Which one, or what it is, would tell strangers about our network.
            raise TargetRefusedError("leads to an address that is not in the public internet; give a public one")
        return addresses
