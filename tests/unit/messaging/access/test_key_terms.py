"""What keys may do, what no key may, and who may make one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging_service.access.domain.key_record import KeyRecord, KeyStatus, terms_of_successor
from messaging_service.access.domain.key_terms import KeyTerms, is_valid_from, require_grantable
from messaging_service.access.grpc.key_messages import to_terms
from service_kit.access.principal import OPEN, AccessMode, Accounts, Principal, PrincipalKind
from service_kit.access.scopes import EVERYTHING
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.timestamps import to_timestamp
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb

START = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def terms(**fields: Any) -> pb.KeyTerms:
    """Terms without a fault."""
    given: dict[str, Any] = {
        "name": "till",
        "mode": common.ACCESS_MODE_LIVE,
        "accounts": ["shop"],
        "scopes": ["sms:send"],
    }
    return pb.KeyTerms(**(given | fields))


def maker(*scopes: str, accounts: Accounts = None, mode: AccessMode = AccessMode.LIVE) -> Principal:
    return Principal("tk_live_00000000", PrincipalKind.API_KEY, accounts, frozenset(scopes), mode=mode)


def granted(by: Principal, **fields: Any) -> bool:
    try:
        require_grantable(to_terms(terms(**fields), START), by)
    except ServiceError as error:
        return error.kind is not Kind.PERMISSION_DENIED
    return True


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "terms.name"),
        ({"name": "n" * 101}, "terms.name"),
        ({"mode": 0}, "terms.mode"),
        ({"accounts": []}, "terms.accounts"),
        ({"accounts": [f"a{number}" for number in range(101)]}, "terms.accounts"),
        ({"accounts": [f"a{number}" for number in range(1_001)]}, "terms.accounts"),
        ({"accounts": ["shop "]}, "terms.accounts"),
        ({"all_accounts": True}, "terms.accounts"),
        ({"app_id": ""}, "terms.app_id"),
        ({"scopes": []}, "terms.scopes"),
        ({"scopes": ["sms:sent"]}, "terms.scopes"),
        ({"scopes": ["sms:send", "assert:principal"]}, "terms.scopes"),
        ({"scopes": ["keys:resolve"]}, "terms.scopes"),
        ({"scopes": ["money:write"], "mode": common.ACCESS_MODE_TEST}, "terms.scopes"),
        ({"networks": ["10.0.0.1/8"]}, "terms.networks[0]"),
        ({"networks": ["10.0.0.0/8", "example.com"]}, "terms.networks[1]"),
        ({"networks": ["10.0.0.1"] * 101}, "terms.networks"),
        ({"expires_time": to_timestamp(START)}, "terms.expires_time"),
        ({"messages_per_minute": 0}, "terms.messages_per_minute"),
        ({"daily_spend_micros": 0}, "terms.daily_spend_micros"),
        ({"daily_spend_micros": 2**62}, "terms.daily_spend_micros"),
    ],
)
def test_terms_at_fault_are_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ServiceError) as refused:
        to_terms(terms(**fields), START)
    error = refused.value
    assert (error.kind, [violation.field for violation in error.violations]) == (Kind.INVALID, [field])


def test_nobody_makes_a_key_that_may_do_more_than_they() -> None:
    assert granted(OPEN, scopes=["*"], accounts=[], all_accounts=True)
    assert granted(maker(EVERYTHING), scopes=["*", "sms:send"])
    assert granted(maker("keys:write", "sms:send"), scopes=["sms:send"])
    assert not granted(maker("keys:write"), scopes=["sms:send"])
    assert not granted(maker("keys:write", "sms:send"), scopes=["*"])
    assert not granted(maker(EVERYTHING, mode=AccessMode.TEST))
    assert granted(maker(EVERYTHING, mode=AccessMode.TEST), mode=common.ACCESS_MODE_TEST)
    assert granted(maker(EVERYTHING, accounts=frozenset({"shop", "till"})))
    assert not granted(maker(EVERYTHING, accounts=frozenset({"till"})))
    assert not granted(maker(EVERYTHING, accounts=frozenset({"shop"})), accounts=[], all_accounts=True)


@pytest.mark.parametrize("scope", [EVERYTHING, "money:write"])
def test_no_test_credential_moves_money(scope: str) -> None:
    assert maker(scope).may("money:write")
    assert not maker(scope, mode=AccessMode.TEST).may("money:write")


def record(expires_at: datetime | None, revoked_at: datetime | None = None) -> KeyRecord:
    kept = KeyTerms("till", AccessMode.LIVE, None, None, frozenset({"*"}), (), expires_at, None, None)
    return KeyRecord("tk_live_00000000", kept, START, "ops", None, revoked_at, "ops" if revoked_at else None)


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    hour = START + timedelta(hours=1)
    key = record(hour)
    assert [key.status(at) for at in (START, hour - timedelta(microseconds=1), hour)] == [
        KeyStatus.ACTIVE,
        KeyStatus.ACTIVE,
        KeyStatus.EXPIRED,
    ]
    assert record(None).status(START + timedelta(days=9_999)) is KeyStatus.ACTIVE
    assert {record(hour, START).status(at) for at in (START, hour)} == {KeyStatus.REVOKED}


def test_a_successor_lives_as_long_as_its_predecessor_was_given() -> None:
    now = START + timedelta(days=80)
    assert terms_of_successor(record(START + timedelta(days=90)), now).expires_at == now + timedelta(days=90)
    assert terms_of_successor(record(None), now).expires_at is None


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", False),
        ("no address", False),
        (None, False),
    ],
)
def test_a_key_is_valid_from_its_networks_only(address: str | None, *, valid: bool) -> None:
    given = to_terms(terms(networks=["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]), START)
    assert is_valid_from(given, address) is valid
    assert is_valid_from(to_terms(terms(), START), address)
