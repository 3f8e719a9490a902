"""How a setting says on purpose that TLS is spoken elsewhere."""

from __future__ import annotations

from typing import Final

PROXY: Final = "proxy"


def proxy(text: str) -> bool:
    """Parses `proxy`."""
    if text != PROXY:
        raise ValueError(f"{text!r} is not {PROXY}; unset it unless TLS is spoken elsewhere")
    return True
