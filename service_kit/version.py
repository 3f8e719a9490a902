"""The release that this process runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("tukupay-sms")
    except PackageNotFoundError:
        return "unknown"


VERSION: Final = _installed()
"""As installed, such as `0.1.0`; `unknown` where the code runs without having been installed."""
