"""What the claims of a token give its caller: never more than the issuers file says."""

from __future__ import annotations

from typing import Any

import pytest

from service_kit.access.oidc.claims import to_principal
from service_kit.access.oidc.issuer import Grant, Issuer
from service_kit.access.principal import AccessMode
from service_kit.errors import ServiceError

STAFF = Issuer(
    "staff",
    "https://id.example.com",
    ("tukupay-sms",),
    "https://id.example.com/certs",
    ("RS256",),
    accounts_claim=("accounts",),
    app_claim=("azp",),
    scopes_claim=("scope",),
    groups_claim=("realm_access", "roles"),
    groups={
        "senders": Grant(frozenset({"sms:send"})),
        "acme": Grant(accounts=frozenset({"acme"})),
        "operators": Grant(frozenset({"*"}), all_accounts=True),
    },
    everybody=Grant(frozenset({"prices:read"})),
    app_id="backoffice",
)


def claims(**given: Any) -> dict[str, Any]:
    return {"sub": "alice", **given}


def test_a_caller_without_groups_may_what_everybody_may() -> None:
    principal = to_principal(claims(), STAFF)
    # Others keep what they make of it under the principal itself.
    assert len({principal, to_principal(claims(scope="sms:read"), STAFF)}) == 2
    assert principal.id == "staff:alice"
    assert principal.scopes == {"prices:read"}
    assert principal.accounts == frozenset()
    assert principal.app_id == "backoffice"
    assert principal.mode is AccessMode.LIVE


def test_accounts_and_scopes_of_claims_and_groups_are_added_up() -> None:
    principal = to_principal(
        claims(
            accounts=["shop", "till"],
            azp="pos",
            scope="openid profile sms:read reports:read",
            realm_access={"roles": ["senders", "acme", "unheard-of"]},
        ),
        STAFF,
    )
    assert principal.accounts == frozenset({"shop", "till", "acme"})
    assert principal.scopes == {"prices:read", "sms:read", "reports:read", "sms:send"}
    assert principal.app_id == "pos"


def test_all_accounts_and_everything_come_from_the_file_only() -> None:
    assert to_principal(claims(scope="* sms:read", accounts="*"), STAFF).scopes == {"prices:read", "sms:read"}
    assert to_principal(claims(scope="* sms:read", accounts="*"), STAFF).accounts == frozenset({"*"})
    operator = to_principal(claims(realm_access={"roles": ["operators"]}), STAFF)
    assert operator.accounts is None
    assert operator.may("money:write")


def test_scopes_of_the_platform_s_programs_never_come_from_a_token() -> None:
    principal = to_principal(claims(scope=["assert:principal", "keys:resolve", "sms:read"]), STAFF)
    assert principal.scopes == {"prices:read", "sms:read"}
    operator = to_principal(claims(scope=["assert:principal"], realm_access={"roles": ["operators"]}), STAFF)
    assert not operator.may("assert:principal")
    assert not operator.may("keys:resolve")


@pytest.mark.parametrize(
    "given",
    [
        {"accounts": 7},
        {"accounts": ["shop", None]},
        {"accounts": ["shop "]},
        {"accounts": [""]},
        {"accounts": ["s\u202ehop"]},
        {"azp": ["pos"]},
        {"azp": "po\ns"},
        {"scope": 1},
        {"realm_access": {"roles": {"operators": True}}},
        {"sub": "alice "},
        {"sub": ":alice"},
    ],
)
def test_claims_of_another_form_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as raised:
        to_principal(claims(**given), STAFF)
    assert raised.value.reason == "UNAUTHENTICATED"


def test_a_path_that_leads_nowhere_is_as_a_claim_that_is_absent() -> None:
    assert to_principal(claims(realm_access="operators"), STAFF).scopes == {"prices:read"}
