"""Brings the messaging database to the newest schema."""

from __future__ import annotations

import time
from typing import Final

import psycopg

from messaging_service.migrations import MIGRATIONS
from messaging_service.months.domain.month_rules import AHEAD
from messaging_service.months.postgres.postgres_months import TABLES
from messaging_service.sending.postgres.message_tables import message_event
from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.wiring.chained_messaging_tables import EVENTS
from messaging_service.wiring.messaging_tables import metadata
from service_kit.postgres import grants
from service_kit.postgres.grants import AppendOnly
from service_kit.postgres.guards import set_guards
from service_kit.postgres.migrations import TableInUseError, upgrade

_EVIDENCE = frozenset({"id", "xact", *(name.split()[0] for name in EVENTS.covered)})
"""Columns of an event that nobody changes; the others hold words of carriers, which are removed with a phone."""
APPEND_ONLY: AppendOnly = {
    # What a key may do is not changed, and no key is removed: they end, and are used.
    "api_key": ("expires_at", "last_used_at", "revoked_at", "revoked_by", "replaced_by", "changed_in"),
    "audit_entry": (),
    "hash_chain": (),
    "ledger_entry": (),
    "payment_reference": (),
    "message_event": [column.name for column in message_event.columns if column.name not in _EVIDENCE],
}
"""What the role of the service may add to, and not change."""
_CONNECT_S: Final = 10
_TRIES: Final = 50
_PAUSE_S: Final = 0.1
ADD_MONTH: Final = "add_month_partition(text, integer)"
"""What it calls for the partitions of coming months, as it may make no tables."""


def grant(database_url: str, direct_url: str | None, role: str) -> None:
    """Lets a role run the service on a migrated database. Raises RoleUnfitError. The URLs: as for `migrate`."""
    grants.grant(direct_url or database_url, role, APPEND_ONLY, (ADD_MONTH,))


def migrate(database_url: str, direct_url: str | None = None) -> None:
    """Applies all missing migrations, adds the months that are missing, and guards the role of the service.

    Safe to run from several replicas at once, and again: months are added also where the schema is the newest.

    `database_url`: that of the service. `direct_url`: for the migrations, where that one leads to a pooler or its role
    may not change tables. Raises PooledError, TableInUseError and GuardsNotSetError.
    """
    url = direct_url or database_url
    upgrade(url, MIGRATIONS, metadata, may_be_pooled=direct_url is not None)
    _add_months(url)
    set_guards(database_url, GUARDS)


def _add_months(url: str) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S) as connection:
        for table in TABLES:
            while _add_month(connection, table):
                pass


def _add_month(connection: psycopg.Connection, table: str) -> bool:
    """False where nothing is missing, or another process adds it."""
    for _ in range(_TRIES):
        try:
            row = connection.execute("SELECT add_month_partition(%s, %s)", (table, AHEAD)).fetchone()
        except psycopg.errors.LockNotAvailable:
            # It waits half a second itself; senders go first.
            time.sleep(_PAUSE_S)
        else:
            return row is not None and row[0] is not None
    raise TableInUseError(f"{table} is in use, and gets no month: run it again when less is sent")
