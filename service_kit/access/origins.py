"""The address of the client for whom a trusted caller makes a call, on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

METADATA_KEY: Final = "x-sms-client-address"
"""Of gRPC metadata: the IP address of the client for whom a call is made, without its port."""


def client_address(metadata: Mapping[str, str | bytes]) -> str | None:
    """The address that the metadata names, to be believed only from a caller that may call for others.

    None when it names none.
    """
    text = metadata.get(METADATA_KEY)
    try:
        return str(ip_address(text)) if isinstance(text, str) else None
    except ValueError:
        return None
