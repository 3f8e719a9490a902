"""Brings the messaging database to the newest schema."""

from __future__ import annotations

from typing import Final

from messaging_service.migrations import MIGRATIONS
from messaging_service.sending.postgres.message_tables import message_event
from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.wiring.chained_messaging_tables import EVENTS
from messaging_service.wiring.messaging_tables import metadata
from service_kit.postgres import grants
from service_kit.postgres.grants import AppendOnly
from service_kit.postgres.guards import set_guards
from service_kit.postgres.migrations import upgrade

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
ADD_MONTH: Final = "add_month_partition(text, integer)"
"""What it calls for the partitions of coming months, as it may make no tables."""


def grant(database_url: str, direct_url: str | None, role: str) -> None:
    """Lets a role run the service on a migrated database. Raises RoleUnfitError. The URLs: as for `migrate`."""
    grants.grant(direct_url or database_url, role, APPEND_ONLY, (ADD_MONTH,))


def migrate(database_url: str, direct_url: str | None = None) -> None:
    """Applies all missing migrations, and guards the role of the service; safe to run from several replicas at once.

    `database_url`: that of the service. `direct_url`: for the migrations, where that one leads to a pooler or its role
    may not change tables. Raises PooledError, TableInUseError and GuardsNotSetError.
    """
    upgrade(direct_url or database_url, MIGRATIONS, metadata, may_be_pooled=direct_url is not None)
    set_guards(database_url, GUARDS)
