"""Keys as JSON, records and tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.terminal import cell, print_record, print_table
from sms_cli.shared.terminal_instants import shown, to_second
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb

FIELDS = {
    "key_id": "ID",
    "name": "--name",
    "mode": "--mode",
    "accounts": "--account",
    "app_id": "--app",
    "scopes": "--scope",
    "networks": "--network",
    "expires_time": "--expires",
    "messages_per_minute": "--messages-per-minute",
    "daily_spend_micros": "--daily-spend",
    "overlap": "--overlap",
    "user_id": "--account",
}
"""The option or argument that sets a field of a request."""


def option_of_key(field: str) -> str:
    """The name of a field on the command line."""
    name, _, place = field.removeprefix("terms.").partition("[")
    number = f" {int(place.rstrip(']')) + 1}" if place else ""
    return f"{FIELDS.get(name, field)}{number}:"


def key_record(key: pb.ApiKey) -> dict[str, object]:
    """A key as JSON; the amount in KES."""
    terms = key.terms
    return {
        "keyId": key.key_id,
        "name": terms.name,
        "mode": enum_word(common.AccessMode, terms.mode),
        "status": enum_word(pb.KeyStatus, key.status),
        "allAccounts": terms.all_accounts,
        "accounts": list(terms.accounts),
        "appId": terms.app_id if terms.HasField("app_id") else None,
        "scopes": list(terms.scopes),
        "networks": list(terms.networks),
        "expiresAt": shown(terms.expires_time) if terms.HasField("expires_time") else None,
        "messagesPerMinute": terms.messages_per_minute if terms.HasField("messages_per_minute") else None,
        "dailySpend": kes(terms.daily_spend_micros) if terms.HasField("daily_spend_micros") else None,
        "createdAt": shown(key.created_time),
        "createdBy": key.created_by,
        "lastUsedAt": shown(key.last_used_time) if key.HasField("last_used_time") else None,
        "revokedAt": shown(key.revoked_time) if key.HasField("revoked_time") else None,
        "revokedBy": key.revoked_by if key.HasField("revoked_by") else None,
        "replacedBy": key.replaced_by_key_id if key.HasField("replaced_by_key_id") else None,
    }


def print_key(key: pb.ApiKey) -> None:
    """Prints one key for a person."""
    fields = key_record(key)
    fields.pop("allAccounts")
    shown_fields = fields | {
        "accounts": _accounts(key.terms),
        "scopes": " ".join(key.terms.scopes),
        "networks": " ".join(key.terms.networks) or "any",
    }
    print_record(shown_fields)


def print_keys(keys: Sequence[pb.ApiKey]) -> None:
    """Prints a table of keys."""
    table = Table("key", "name", "status", "accounts", "scopes", "last used", "ends")
    for key in keys:
        ends = key.revoked_time if key.HasField("revoked_time") else key.terms.expires_time
        has_end = key.HasField("revoked_time") or key.terms.HasField("expires_time")
        cells = [
            key.key_id,
            key.terms.name,
            enum_word(pb.KeyStatus, key.status),
            _accounts(key.terms),
            " ".join(key.terms.scopes),
            to_second(key.last_used_time) if key.HasField("last_used_time") else "never",
            to_second(ends) if has_end else None,
        ]
        table.add_row(*map(cell, cells))
    print_table(table, wraps={"name", "accounts", "scopes"})


def _accounts(terms: pb.KeyTerms) -> str:
    return "all" if terms.all_accounts else " ".join(terms.accounts)
