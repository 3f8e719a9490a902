"""Settings of the service's traces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service_kit.settings import integer, setting
from service_kit.tracing.tracing_settings import (
    AUTHORITIES,
    ENDPOINT,
    GUIDE,
    HEADERS,
    MOST_PER_S,
    TracingSettings,
    headers,
    receiver,
)


@dataclass(frozen=True, slots=True)
class MessagingTracing(TracingSettings):
    """Where traces go; which requests are traced, callers say."""

    endpoint: str | None = setting(
        "MESSAGING_TRACING_OTLP_ENDPOINT", ENDPOINT, parse=receiver, default=None, guide=GUIDE
    )
    headers: tuple[tuple[str, str], ...] = setting(
        "MESSAGING_TRACING_OTLP_HEADERS", HEADERS, parse=headers, default=(), secret=True
    )
    authorities: Path | None = setting(
        "MESSAGING_TRACING_OTLP_CA_FILE", AUTHORITIES, parse=Path, default=None, default_text="the system's"
    )
    most_per_s: int = setting("MESSAGING_TRACING_MAX_PER_S", MOST_PER_S, parse=integer(1, 10_000), default=300)
