"""Figures of the calls that were refused for who made them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

Refused: TypeAlias = Callable[[str], object]
"""Called with the cause of a refusal, one of CAUSES."""

CAUSES: Final = (
    "no_credential",
    "certificate",
    "token",
    "api_key",
    "jwt",
    "unavailable",
    "assertion",
    "scope",
    "account",
    "limited",
)
"""Why: no credential at all; one of that kind that is not valid; none can be checked now; a caller that may not call
for others did so; a scope is missing; an account is foreign; a bad
credential too many of its address, which counts as that of its kind, too."""


def counted_refusals(registry: CollectorRegistry) -> Refused:
    """Counts refusals by their cause, each shown from the start with a nought."""
    counter = Counter(
        "tukupay_access_refused",
        "gRPC calls refused for who made them, by cause.",
        ("cause",),
        registry=registry,
    )
    by_cause = {cause: counter.labels(cause) for cause in CAUSES}
    return lambda cause: by_cause[cause].inc()


def uncounted(_cause: str) -> None:
    """Where nobody looks at the figures."""
