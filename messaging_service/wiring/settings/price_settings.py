"""How prices are known."""

from __future__ import annotations

from dataclasses import dataclass

from service_kit.settings import Address, integer, seconds, setting, target


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """The pricing service, and the copy of its book."""

    pricing_address: Address = setting(
        "MESSAGING_PRICING_ADDRESS",
        "host:port of the pricing service, or dns:///name:port; calls go to all addresses of a name in turn",
        parse=target,
        default=Address("127.0.0.1", 50051),
    )
    pricing_timeout_s: float = setting(
        "MESSAGING_PRICING_TIMEOUT_S",
        "seconds that a price may take before the send fails with PRICING_UNAVAILABLE",
        parse=seconds(0.1, 30),
        default=2.0,
    )
    price_stale_s: float = setting(
        "MESSAGING_PRICE_STALE_S",
        "seconds that known prices serve after the last message of a broken watch of the price book; 0 for never",
        parse=seconds(0, 600),
        default=60.0,
    )
    price_heartbeat_s: float = setting(
        "MESSAGING_PRICE_HEARTBEAT_S",
        "longest silence of a watch of the price book; three times as long ends it",
        parse=seconds(0.1, 60),
        default=1.0,
    )
    price_copy_answers: int = setting(
        "MESSAGING_PRICE_COPY_ANSWERS",
        "most prices kept in memory, one for each account and app it sends through, 0.3 to 0.6 kB each; 0 for none",
        parse=integer(0, 10_000_000),
        default=50_000,
    )
