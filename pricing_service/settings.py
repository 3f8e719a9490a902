"""Settings of the pricing service, all from the environment."""

from __future__ import annotations

from dataclasses import dataclass

from service_kit.settings import Address, integer, listen_address, seconds, setting


@dataclass(frozen=True, slots=True)
class PricingSettings:
    """What an operator can choose."""

    database_url: str = setting(
        "PRICING_DATABASE_URL", "libpq URL of the pricing database, with its password", secret=True
    )
    grpc_address: Address = setting(
        "PRICING_GRPC_ADDRESS",
        "host:port to listen on",
        parse=listen_address,
        default=Address("127.0.0.1", 50051),
    )
    pool_size: int = setting("PRICING_POOL_SIZE", "most connections to the database", parse=integer(1, 100), default=10)
    pool_timeout_s: float = setting(
        "PRICING_POOL_TIMEOUT_S",
        "seconds that a call waits for a connection before it fails with UNAVAILABLE",
        parse=seconds(0.1, 30),
        default=2.0,
    )
    watch_interval_s: float = setting(
        "PRICING_WATCH_INTERVAL_S",
        "seconds between two looks for changes while somebody watches prices",
        parse=seconds(0.01, 10),
        default=0.25,
    )
    drain_s: float = setting(
        "PRICING_DRAIN_S",
        "seconds that running calls may take to end after SIGTERM",
        parse=seconds(0, 300),
        default=20.0,
    )
