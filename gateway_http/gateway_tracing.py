"""Settings of the gateway's traces."""

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
    ratio,
    receiver,
)


@dataclass(frozen=True, slots=True)
class GatewayTracing(TracingSettings):
    """Where traces go, and which requests are traced."""

    endpoint: str | None = setting("GATEWAY_TRACING_OTLP_ENDPOINT", ENDPOINT, parse=receiver, default=None, guide=GUIDE)
    headers: tuple[tuple[str, str], ...] = setting(
        "GATEWAY_TRACING_OTLP_HEADERS", HEADERS, parse=headers, default=(), secret=True
    )
    authorities: Path | None = setting(
        "GATEWAY_TRACING_OTLP_CA_FILE", AUTHORITIES, parse=Path, default=None, default_text="the system's"
    )
    most_per_s: int = setting("GATEWAY_TRACING_MAX_PER_S", MOST_PER_S, parse=integer(1, 10_000), default=100)
    sample_ratio: float = setting(
        "GATEWAY_TRACING_SAMPLE_RATIO",
        "part of the requests that are traced although their callers do not ask for it, 0 to 1",
        parse=ratio,
        default=0.0,
        guide=GUIDE,
    )
