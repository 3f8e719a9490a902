"""What gRPC says of the other side of a connection."""

from __future__ import annotations

import ipaddress


def address_of(peer: str) -> str | None:
    """The IP address in what gRPC says of a peer, as `ipv4:127.0.0.1:41234`; None when it has none."""
    family, _, rest = peer.partition(":")
    host, _, _ = rest.rpartition(":")
    match family:
        case "ipv4":
            return host or None
        case "ipv6":
            return host.replace("%5B", "").replace("%5D", "").strip("[]").partition("%")[0] or None
        case _:
            return None


def ip_address_of(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The same as an address; None also for what is none."""
    text = address_of(peer)
    if text is None:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
