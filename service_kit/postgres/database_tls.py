"""Whether the way to a database is protected: by TLS with a checked certificate, unless it stays on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg.pq import Conninfo

from service_kit.settings import Address
from service_kit.tls.proxied import PROXY

GUIDE: Final = "guides/tls.md#postgresql"
MEANING: Final = (
    "`proxy` where the network to the database is protected otherwise; one on another machine needs that, or "
    "`sslmode=verify-full` in its URL"
)
"""Of the setting that says so on purpose."""
_CHECKED: Final = "verify-full"


def database_problems(values: Mapping[str, object], fields: Mapping[str, str], prefix: str) -> list[str]:
    """What is wrong with the URLs of a database.

    `values` has the fields that are set, and `fields` the variable of each that holds a URL. `<prefix>_DATABASE_TLS`
    is the variable behind the field `is_database_proxied`.
    """
    if "is_database_proxied" in values:
        return []
    return [
        f"{variable}: {problem}"
        for field, variable in fields.items()
        if (problem := url_problem(values.get(field), f"{prefix}_DATABASE_TLS")) is not None
    ]


def url_problem(url: object, variable: str) -> str | None:
    """Why a database must not be used by this URL; None when it may be. It quotes nothing but the host.

    `variable` is the one that allows it all the same. What the URL leaves open is taken from the environment, as libpq
    does.
    """
    if not isinstance(url, str):
        return None
    try:
        said = {option.keyword: option.val for option in Conninfo.parse(url.encode())}
    except psycopg.Error:
        return "is no URL or connection string of libpq, such as postgresql://user@host/name?sslmode=verify-full"
    usual = {option.keyword: option.val for option in Conninfo.get_defaults()}

    def value(keyword: bytes) -> str:
        return (said.get(keyword) or usual.get(keyword) or b"").decode()

    hosts = value(b"hostaddr") or value(b"host")
    if not hosts and value(b"service"):
        hosts = "the host of its service"
    remote = [host for host in hosts.split(",") if not _stays_here(host)]
    if not remote or value(b"sslmode") == _CHECKED:
        return None
    return (
        f"{remote[0]} is another machine, and its certificate is not checked: add sslmode={_CHECKED} (and sslrootcert, "
        f"the file of its authority), or set {variable} to {PROXY} where the network between is protected otherwise"
    )


def _stays_here(host: str) -> bool:
    # Without a host, and with a path or an abstract name, it is a socket file.
    return not host or host[0] in "/@" or Address(host, 0).is_loopback
