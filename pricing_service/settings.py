"""Settings of the pricing service, all from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from pricing_service.domain.price_guards import ByLevel
from pricing_service.domain.tier import Level
from pricing_service.pricing_tracing import PricingTracing
from service_kit.access.requirement import Access, access, access_problems
from service_kit.postgres import database_tls
from service_kit.settings import Address, address, flag, group, integer, seconds, setting
from service_kit.tls.proxied import proxy
from service_kit.tls.tls_settings import CERTIFICATE, GUIDE, KEY, MutualTls, listening_problems
from service_kit.web import probe_listener


def by_level(maximum: Decimal) -> Callable[[str], ByLevel]:
    """A parser of a number for every level, with others for some: `20` or `20,SpecificCustomer=5`."""

    def parse(text: str) -> ByLevel:
        first, *others = (part.strip() for part in text.split(","))
        usual = _number(first, maximum)
        own: dict[Level, Decimal] = {}
        for other in others:
            name, _, value = other.partition("=")
            if name not in set(Level):
                raise ValueError(f"{name!r} is no level; use {', '.join(Level)}")
            own[Level(name)] = _number(value, maximum)
        return ByLevel(usual, tuple(own.items()))

    return parse


def _number(text: str, maximum: Decimal) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number, as in 20 or 20,SpecificCustomer=5") from None
    if not number.is_finite() or not 0 < number <= maximum:
        raise ValueError(f"{text} is not above 0 and at most {maximum:,}")
    return number


@dataclass(frozen=True, slots=True)
class PricingTls(MutualTls):
    """TLS of the gRPC server."""

    is_proxied: bool = setting(
        "PRICING_TLS",
        "`proxy` where a proxy in front speaks TLS, as a listener of other machines may else not go without",
        parse=proxy,
        default=False,
        default_text="none",
        guide=GUIDE,
    )
    certificate: Path | None = setting("PRICING_TLS_CERT_FILE", CERTIFICATE, parse=Path, default=None, guide=GUIDE)
    key: Path | None = setting("PRICING_TLS_KEY_FILE", KEY, parse=Path, default=None)
    authorities: Path | None = setting(
        "PRICING_TLS_CLIENT_CA_FILE",
        "PEM file of the authorities of its callers, each of whom must then show a certificate",
        parse=Path,
        default=None,
        guide=GUIDE,
    )


@dataclass(frozen=True, slots=True)
class PricingDatabaseSettings:
    """The database, for the service and for its migrations."""

    database_url: str = setting(
        "PRICING_DATABASE_URL", "libpq URL of the pricing database, with its password", secret=True
    )
    is_database_proxied: bool = setting(
        "PRICING_DATABASE_TLS",
        database_tls.MEANING,
        parse=proxy,
        default=False,
        default_text="none",
        guide=database_tls.GUIDE,
    )

    @classmethod
    def cross_check(cls, values: Mapping[str, Any]) -> list[str]:
        """Which way to the database is not protected."""
        return database_tls.database_problems(
            values,
            {"database_url": "PRICING_DATABASE_URL", "database_direct_url": "PRICING_DATABASE_DIRECT_URL"},
            "PRICING",
        )


@dataclass(frozen=True, slots=True)
class PricingMigrationSettings(PricingDatabaseSettings):
    """What a migration needs; the service itself never reads the URL of who may change tables."""

    database_direct_url: str | None = setting(
        "PRICING_DATABASE_DIRECT_URL",
        "libpq URL of the same database past a connection pooler, or as a role that may change tables",
        default=None,
        secret=True,
        default_text="the same",
    )


@dataclass(frozen=True, slots=True)
class PricingSettings(PricingDatabaseSettings):
    """What an operator can choose."""

    grpc_address: Address = setting(
        "PRICING_GRPC_ADDRESS",
        "host:port to listen on; with PRICING_ACCESS=required and TLS also where other machines reach it",
        parse=address,
        default=Address("127.0.0.1", 50051),
    )
    metrics_address: Address | None = setting(
        "PRICING_METRICS_ADDRESS",
        "host:port that serves /metrics to Prometheus, apart from all else, in plaintext; unset for none",
        parse=address,
        default=None,
        guide="guides/metrics.md",
    )
    probes_address: Address | None = setting(
        "PRICING_PROBES_ADDRESS", probe_listener.MEANING, parse=address, default=None, guide=probe_listener.GUIDE
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
        "seconds between two looks for changes that other replicas made",
        parse=seconds(0.01, 10),
        default=0.25,
    )
    book_staleness_s: float = setting(
        "PRICING_BOOK_STALENESS_S",
        "seconds that prices in memory serve after the last look for changes; more than the time between two looks",
        parse=seconds(0.05, 60),
        default=1.0,
    )
    book_tiers: int = setting(
        "PRICING_BOOK_TIERS",
        "most customers, apps and defaults whose prices are held in memory; about 0.5 kB each",
        parse=integer(2, 10_000_000),
        default=200_000,
    )
    guard_ceiling: ByLevel = setting(
        "PRICING_GUARD_CEILING",
        "KES for one SMS unit above which a price needs override_guards; for single levels as in 20,TukuPay=5",
        parse=by_level(Decimal(1_000_000)),
        default=ByLevel(Decimal(20)),
        default_text="20",
    )
    guard_max_change: ByLevel = setting(
        "PRICING_GUARD_MAX_CHANGE",
        "percent of the smaller by which a price and the one in effect at that instant may differ without "
        "override_guards; for single levels as in 100,TukuPay=10",
        parse=by_level(Decimal(1_000_000_000)),
        default=ByLevel(Decimal(100)),
        default_text="100",
    )
    guard_past_days: int = setting(
        "PRICING_GUARD_PAST_DAYS",
        "days before now from which on a price may take effect without override_guards",
        parse=integer(0, 36_525),
        default=3_653,
    )
    guard_future_days: int = setting(
        "PRICING_GUARD_FUTURE_DAYS",
        "days after now until which a price may take effect without override_guards",
        parse=integer(0, 36_525),
        default=366,
    )
    key_retention_days: int = setting(
        "PRICING_KEY_RETENTION_DAYS",
        "days for which an idempotency key is remembered; after them the same request is a new one",
        parse=integer(1, 36_525),
        default=90,
    )
    drain_s: float = setting(
        "PRICING_DRAIN_S",
        "seconds that running calls may take to end after SIGTERM",
        parse=seconds(0, 300),
        default=20.0,
    )
    pre_drain_s: float = setting(
        "PRICING_PRE_DRAIN_S",
        "seconds after SIGTERM for which calls are still taken, so that connected callers go to other replicas first",
        parse=seconds(0, 60),
        default=1.0,
        guide=probe_listener.GUIDE,
    )
    access: Access = setting(
        "PRICING_ACCESS",
        "who may call: `open` for everybody who reaches the service, `required` for callers with a valid credential",
        parse=access,
        default=Access.OPEN,
        guide="guides/access.md",
    )
    identities_file: Path | None = setting(
        "PRICING_IDENTITIES_FILE",
        "TOML file of the services and operators that may call; looked at every 10 s",
        parse=Path,
        default=None,
        default_text="required with `PRICING_ACCESS=required`",
        guide="guides/access.md",
    )
    issuers_file: Path | None = setting(
        "PRICING_ISSUERS_FILE",
        "TOML file of the identity providers whose tokens are taken; looked at every 10 s; unset for none",
        parse=Path,
        default=None,
        guide="guides/access.md",
    )
    bad_credentials_per_minute: int = setting(
        "PRICING_BAD_CREDENTIALS_PER_MINUTE",
        "most calls in a minute from one address with a credential that is not valid; more are turned away",
        parse=integer(1, 1_000_000),
        default=60,
        guide="guides/access.md",
    )
    reflection: bool = setting(
        "PRICING_REFLECTION",
        "whether operators may list the gRPC methods by reflection where access is required; it is on where it is open",
        parse=flag,
        default=False,
    )

    tls: PricingTls = group(PricingTls, default=PricingTls())
    tracing: PricingTracing = group(PricingTracing, default=PricingTracing())

    @classmethod
    def cross_check(cls, values: Mapping[str, Any]) -> list[str]:
        """What the variables mean together."""
        return [
            *access_problems(values, "PRICING"),
            *PricingDatabaseSettings.cross_check(values),
            *listening_problems(
                "PRICING",
                "PRICING_GRPC_ADDRESS",
                values.get("grpc_address"),
                authenticates=values.get("access") is Access.REQUIRED,
                tls=values["tls"],
            ),
        ]
