"""The rule of a route is that of the methods which it calls, and it calls no others."""

from __future__ import annotations

import pytest

from gateway_http.openapi.route_access import PUBLIC, calls
from gateway_http.rest_api import OPERATIONS, openapi
from service_kit.access.method_rules import RulesError
from service_kit.access.scopes import SCOPES, SELDOM
from tukupay.sms.messaging.v1 import accounts_pb2, messaging_pb2

PUBLIC_OPERATIONS = {"isAlive", "isReady", "getOpenApi", "getRoot", "getDocs"}


def test_a_route_needs_the_scope_of_each_method_that_it_calls() -> None:
    assert calls("MessagingService/QuoteSms").scopes == ("sms:send",)
    assert calls("MessagingService/QuoteSms", "AccountService/GetAccount").scopes == ("sms:send", "accounts:read")
    assert not calls("MessagingService/QuoteSms", "AccountService/GetAccount").is_for_all_accounts
    assert calls("MessagingService/QuoteSms", "AccountService/TopUp").is_for_all_accounts


@pytest.mark.parametrize("methods", [("MessagingService/Nothing",), ("NoService/QuoteSms",), ("QuoteSms",), ()])
def test_a_route_that_calls_what_does_not_exist_cannot_be_declared(methods: tuple[str, ...]) -> None:
    with pytest.raises(RulesError):
        calls(*methods)


def test_a_route_may_ask_only_what_it_declares() -> None:
    access = calls("AccountService/GetAccount")
    assert access.rule_of(accounts_pb2.GetAccountRequest()).field == "user_id"
    with pytest.raises(RulesError, match="QuoteSmsRequest"):
        access.rule_of(messaging_pb2.QuoteSmsRequest())
    with pytest.raises(RulesError):
        PUBLIC.rule_of(messaging_pb2.QuoteSmsRequest())


def test_only_probes_and_documentation_are_public() -> None:
    assert {one.operation_id for one in OPERATIONS if one.access.is_public} == PUBLIC_OPERATIONS


def test_no_route_needs_what_only_programs_of_the_platform_have() -> None:
    needed = {scope for operation in OPERATIONS for scope in operation.access.scopes}
    assert needed <= SCOPES.keys() - SELDOM


@pytest.mark.parametrize("is_open", [True, False])
def test_the_document_says_what_each_route_needs(is_open: bool) -> None:
    document = openapi(is_open=is_open)
    assert list(document["components"]["securitySchemes"]) == ["bearer"]
    for operation in OPERATIONS:
        written = document["paths"][operation.path][operation.method]
        needed = {"bearer": list(operation.access.scopes)}
        if operation.access.is_public:
            assert written["security"] == []
            assert not {"401", "403"} & written["responses"].keys()
            continue
        assert written["security"] == ([{}, needed] if is_open else [needed])
        assert {"401", "403", "429", "503"} <= written["responses"].keys()
        assert all(f"`{scope}`" in written["description"] for scope in operation.access.scopes)
