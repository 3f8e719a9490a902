"""Which addresses may be called at a customer's request, so that nobody reaches into our own network through us.

The ranges are those of the IANA special-purpose registries for IPv4 and IPv6, and where clouds answer about
their machines.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL: Final = 2_000
_NEVER: Final = frozenset('"<>\\^`{|}\x7f')

_INWARD_V4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network, the unspecified address
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by the customers of a carrier (CGNAT); one cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # one cloud's host, in a public range
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; one cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
_INWARD_V6: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them, which carries an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Carries an IPv4 address: how a network without IPv4 reaches hosts that have only that."""


def is_outward(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether an address lies in the public internet, or in a network that the operator allows."""
    if any(address in network for network in allowed if network.version == address.version):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _INWARD_V4)
    if address.ipv4_mapped is not None:
        return is_outward(address.ipv4_mapped, allowed)
    if address in _NAT64:
        return is_outward(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF), allowed)
    # A zone names an interface of this machine.
    return address.scope_id is None and address in _PUBLIC_V6 and not any(address in network for network in _INWARD_V6)


def url_problem(url: str, *, allow_http: bool) -> str | None:
    """What is wrong with the letters of a URL to call, or None."""
    if not url or len(url) > MAX_URL:
        return f"is not 1 to {MAX_URL:,} characters; give the URL that events are to be posted to"
    if not url.isascii() or any(letter <= " " or letter in _NEVER for letter in url):
        return "has characters that no URL has; write it percent-encoded, and a host in other letters in punycode"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL; write it like https://example.com/hooks"
    rules = (
        (
            parts.scheme == "https" or (allow_http and parts.scheme == "http"),
            "is not https; events go over TLS only, so give an https URL",
        ),
        (host, "has no host; write it like https://example.com/hooks"),
        (
            parts.username is None and parts.password is None,
            "holds a user name or password; leave them out, the signature tells who calls",
        ),
        (not parts.fragment, "has a fragment, which is never sent; leave it out"),
        (port != 0, "has port 0; give 1 to 65535"),
    )
    return next((problem for holds, problem in rules if not holds), None)
