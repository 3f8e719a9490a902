"""Keys and their terms as messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from messaging_service.access.domain.key_record import KeyRecord, KeyStatus
from messaging_service.access.domain.key_terms import MAX_ACCOUNTS, KeyTerms, read_networks, terms_faults
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.money import from_micros, to_micros
from messaging_service.shared.grpc import wire
from service_kit.access.principal import AccessMode
from service_kit.errors import Violation, invalid
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb

MODES: Final[Mapping[AccessMode, common.AccessMode.ValueType]] = {
    AccessMode.LIVE: common.ACCESS_MODE_LIVE,
    AccessMode.TEST: common.ACCESS_MODE_TEST,
}
STATUSES: Final[Mapping[KeyStatus, pb.KeyStatus.ValueType]] = {
    KeyStatus.ACTIVE: pb.KEY_STATUS_ACTIVE,
    KeyStatus.EXPIRED: pb.KEY_STATUS_EXPIRED,
    KeyStatus.REVOKED: pb.KEY_STATUS_REVOKED,
}
_MODE_OF: Final = {value: mode for mode, value in MODES.items()}
_STATUS_OF: Final[Mapping[int, KeyStatus]] = {value: status for status, value in STATUSES.items()}


def to_terms(message: pb.KeyTerms, now: datetime) -> KeyTerms:
    """The terms of a new key. Raises ServiceError INVALID that names every field at fault."""
    found: list[Violation] = []
    mode = _MODE_OF.get(message.mode)
    if mode is None:
        problem = "is missing or unknown; use live or test"
        found.append(Violation("terms.mode", reasons.REQUIRED, problem))
    if message.all_accounts and message.accounts:
        problem = "names accounts beside all of them; leave one of the two out"
        found.append(Violation("terms.accounts", reasons.NOT_ALLOWED, problem))
    if len(message.accounts) > 10 * MAX_ACCOUNTS:
        problem = f"has {len(message.accounts)} accounts; at most {MAX_ACCOUNTS} are allowed"
        raise invalid([Violation("terms.accounts", reasons.TOO_MANY, problem)])
    terms = KeyTerms(
        name=message.name,
        mode=mode or AccessMode.TEST,
        accounts=None if message.all_accounts else frozenset(message.accounts),
        app_id=message.app_id if message.HasField("app_id") else None,
        scopes=frozenset(message.scopes),
        networks=read_networks(message.networks, found),
        expires_at=(
            wire.to_instant("terms.expires_time", message.expires_time) if message.HasField("expires_time") else None
        ),
        messages_per_minute=message.messages_per_minute if message.HasField("messages_per_minute") else None,
        daily_spend=from_micros(message.daily_spend_micros) if message.HasField("daily_spend_micros") else None,
    )
    if found := found + terms_faults(terms, now):
        raise invalid(found)
    return terms


def from_key(key: KeyRecord, now: datetime) -> pb.ApiKey:
    """The public form of a key as it stands at an instant."""
    return pb.ApiKey(
        key_id=key.id,
        terms=_from_terms(key.terms),
        status=STATUSES[key.status(now)],
        created_time=wire.from_instant(key.created_at),
        created_by=key.created_by,
        last_used_time=None if key.last_used_at is None else wire.from_instant(key.last_used_at),
        revoked_time=None if key.revoked_at is None else wire.from_instant(key.revoked_at),
        revoked_by=key.revoked_by,
        replaced_by_key_id=key.replaced_by,
    )


def to_status(value: int) -> KeyStatus | None:
    """The status of a number; None for 0, which means any. Raises ServiceError INVALID."""
    if value and value not in _STATUS_OF:
        problem = f"has the unknown value {value}; use one of KeyStatus"
        raise invalid([Violation("status", reasons.INVALID_VALUE, problem)])
    return _STATUS_OF.get(value)


def _from_terms(terms: KeyTerms) -> pb.KeyTerms:
    return pb.KeyTerms(
        name=terms.name,
        mode=MODES[terms.mode],
        accounts=sorted(terms.accounts or ()),
        all_accounts=terms.accounts is None,
        app_id=terms.app_id,
        scopes=sorted(terms.scopes),
        networks=terms.networks,
        expires_time=None if terms.expires_at is None else wire.from_instant(terms.expires_at),
        messages_per_minute=terms.messages_per_minute,
        daily_spend_micros=None if terms.daily_spend is None else to_micros(terms.daily_spend),
    )
