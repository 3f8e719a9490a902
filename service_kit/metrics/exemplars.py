"""Which request a measured value belongs to, so that a slow one can be looked up among the traces."""

from __future__ import annotations


def exemplar() -> dict[str, str]:
    """Labels for what is measured now: the trace id of a sampled request; empty for any other."""
    return {}
