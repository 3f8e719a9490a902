"""Where requests come from."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.types import Scope

from service_kit.settings import Network

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_FORWARDED_FOR: Final = b"x-forwarded-for"


def address_of(scope: Scope, proxies: Sequence[Network]) -> IpAddress | None:
    """Where a request comes from; None when that is not known. `proxies` are those that are believed.

    Behind trusted proxies it is the last address of X-Forwarded-For that is none of theirs: everything before
    it was written by the caller. A trusted proxy that names no address is not believed itself.
    """
    client = scope.get("client")
    peer = _address(client[0]) if client else None
    if peer is None or not is_within(peer, proxies):
        return peer
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED_FOR]
    for hop in reversed(",".join(lines).split(",")):
        address = _address(hop.strip())
        if address is None or not is_within(address, proxies):
            return address
    return None


def is_within(address: IpAddress, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks."""
    return any(address in network for network in networks)


def _address(text: str) -> IpAddress | None:
    try:
        address = ipaddress.ip_address(text.removeprefix("[").partition("]")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
