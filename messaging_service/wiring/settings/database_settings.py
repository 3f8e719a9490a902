"""Where messages are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service_kit.postgres import database_tls
from service_kit.settings import integer, seconds, setting
from service_kit.tls.proxied import proxy


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """The database, and how it is used."""

    database_url: str = setting(
        "MESSAGING_DATABASE_URL", "libpq URL of the messaging database, with its password", secret=True
    )
    database_direct_url: str | None = setting(
        "MESSAGING_DATABASE_DIRECT_URL",
        "libpq URL of the same database past a connection pooler, for migrations and for signals between processes",
        default=None,
        secret=True,
        default_text="the same",
        guide="#behind-pgbouncer",
    )
    replica_url: str | None = setting(
        "MESSAGING_REPLICA_URL",
        "libpq URL of a streaming standby of the database, which lists, exports, statements and reports are read from",
        default=None,
        secret=True,
        default_text="none: they are read from the primary",
        guide="#reads-from-a-replica",
    )
    replica_max_staleness_s: float = setting(
        "MESSAGING_REPLICA_MAX_STALENESS_S",
        "seconds that an answer of the replica may be old; while it is further behind, the primary is read",
        parse=seconds(1, 3_600),
        default=10.0,
    )
    is_database_proxied: bool = setting(
        "MESSAGING_DATABASE_TLS",
        database_tls.MEANING,
        parse=proxy,
        default=False,
        default_text="none",
        guide=database_tls.GUIDE,
    )
    pool_size: int = setting(
        "MESSAGING_POOL_SIZE", "most connections to the database", parse=integer(2, 100), default=10
    )
    pool_timeout_s: float = setting(
        "MESSAGING_POOL_TIMEOUT_S",
        "seconds that a call waits for a connection before it fails with DATABASE_UNAVAILABLE",
        parse=seconds(0.1, 30),
        default=2.0,
    )
    flush_target_s: float = setting(
        "MESSAGING_FLUSH_TARGET_S",
        "most seconds that recording a batch should take; longer ones make the next batches smaller",
        parse=seconds(0.001, 10),
        default=0.1,
    )

    @classmethod
    def cross_check(cls, values: Mapping[str, object]) -> list[str]:
        """Which way to the database is not protected."""
        return database_tls.database_problems(
            values,
            {
                "database_url": "MESSAGING_DATABASE_URL",
                "database_direct_url": "MESSAGING_DATABASE_DIRECT_URL",
                "replica_url": "MESSAGING_REPLICA_URL",
            },
            "MESSAGING",
        )
