"""The chains in the databases of the services, read without the services, whose own word is no evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import psycopg

from messaging_service.wiring import chained_messaging_tables
from pricing_service.adapters import chained_pricing_tables
from service_kit.audit.chained_table import ChainedTable
from service_kit.postgres.chain_verification import Anchor, ChainVerdict, Head, heads, verify_chain
from service_kit.postgres.database_tls import url_problem
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import DATABASE_VARIABLES, DIRECT_VARIABLES

T = TypeVar("T")

_CONNECT_S = 10
_TABLES: Mapping[str, tuple[ChainedTable, ...]] = {
    "pricing": chained_pricing_tables.CHAINED_TABLES,
    "messaging": chained_messaging_tables.CHAINED_TABLES,
}


class AuditedDatabase(StrEnum):
    """The services whose databases have chains."""

    pricing = "pricing"
    messaging = "messaging"
    all = "all"

    @property
    def services(self) -> list[str]:
        """Their names."""
        return list(_TABLES) if self is AuditedDatabase.all else [self.value]


@dataclass(frozen=True, slots=True)
class ServiceAnchor:
    """An anchor, and the service whose chain it is of."""

    service: str
    anchor: Anchor


def parse_anchor(text: str) -> ServiceAnchor:
    """An anchor as `audit head` prints it: `messaging/ledger:12:<hash>`. Raises ValueError."""
    place, _, rest = text.partition(":")
    service, _, chain = place.partition("/")
    number, _, digest = rest.partition(":")
    chains = {table.chain for table in _TABLES.get(service, ())}
    if chain not in chains or not number.isdecimal() or len(digest) != 64:
        raise ValueError("is no anchor; give one as `audit head` prints it, for instance messaging/ledger:12:<hash>")
    try:
        return ServiceAnchor(service, Anchor(chain, int(number), bytes.fromhex(digest)))
    except ValueError:
        raise ValueError("is no anchor: its hash is not hexadecimal") from None


def verify(service: str, environment: Mapping[str, str], anchors: Iterable[ServiceAnchor]) -> list[ChainVerdict]:
    """What each chain of a service was found to be. Raises CommandError when its database cannot be read."""
    own = [each.anchor for each in anchors if each.service == service]
    return _read(
        service,
        environment,
        lambda connection: [verify_chain(connection, table, own) for table in _TABLES[service]],
    )


def newest(service: str, environment: Mapping[str, str]) -> list[Head]:
    """The newest batch of each chain of a service. Raises CommandError when its database cannot be read."""
    return _read(service, environment, lambda connection: heads(connection, _TABLES[service]))


def _read(service: str, environment: Mapping[str, str], read: Callable[[psycopg.Connection], T]) -> T:
    variable = DATABASE_VARIABLES[service]
    url = environment.get(DIRECT_VARIABLES[service]) or environment.get(variable)
    if not url:
        raise CommandError(
            f"the database of {service} is not known",
            f"set {variable} to its URL; a role that may only read is enough",
        )
    allowing = f"{service.upper()}_DATABASE_TLS"
    problem = None if environment.get(allowing) else url_problem(url, allowing)
    if problem is not None:
        raise CommandError(f"the way to the database of {service} is not protected", problem)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S) as connection:
            return read(connection)
    except psycopg.errors.UndefinedTable as error:
        raise CommandError(
            f"the database of {service} has no chains", "run `tukupay-sms migrate`, then try again"
        ) from error
    except psycopg.Error as error:
        raise CommandError(
            f"the database of {service} cannot be read: SQLSTATE {error.sqlstate or 'none'}",
            f"check that {variable} leads to it, and that its role may read",
        ) from error
