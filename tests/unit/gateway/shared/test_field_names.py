"""Errors of the services name fields as REST callers know them."""

from __future__ import annotations

import msgspec
import pytest
from google.protobuf.descriptor import Descriptor

from gateway_http.costs.cost_models import NewCost, NewWithdrawal
from gateway_http.outbox.outbox_models import OutboxReference
from gateway_http.shared import idempotency_key
from gateway_http.shared.field_names import rest_name, rest_violations
from gateway_http.shared.problem import from_service_error
from gateway_http.sms.quote_models import NewQuote
from gateway_http.sms.sms_models import NewSms
from service_kit.errors import Kind, ServiceError, Violation, invalid
from tukupay.sms.messaging.v1 import messaging_pb2
from tukupay.sms.pricing.v1 import pricing_pb2

# Set by the gateway itself, never by a REST caller.
_OWN = {"app_id", "outcome_wait", "request_id", "principal_index", "traceparent"}


def body_fields(shape: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(shape)}


@pytest.mark.parametrize(
    ("request_message", "rest_fields", "own"),
    [
        (messaging_pb2.SendSmsRequest.DESCRIPTOR, body_fields(NewSms), _OWN),
        (messaging_pb2.QuoteSmsRequest.DESCRIPTOR, body_fields(NewQuote), _OWN),
        (messaging_pb2.ResendSmsRequest.DESCRIPTOR, body_fields(OutboxReference), _OWN),
        (messaging_pb2.GetOutboxEntryRequest.DESCRIPTOR, {"outboxId"}, set()),
        (messaging_pb2.CancelSmsRequest.DESCRIPTOR, {"outboxId"}, set()),
        (
            messaging_pb2.ListOutboxEntriesRequest.DESCRIPTOR,
            {"userId", "status", "tag", "limit", "pageToken"},
            # A phone number does not belong in a URL.
            {"created_from", "created_before", "recipient_phone_number"},
        ),
        (pricing_pb2.SetCostRequest.DESCRIPTOR, {*body_fields(NewCost), idempotency_key.NAME}, set()),
        (pricing_pb2.WithdrawCostRequest.DESCRIPTOR, {*body_fields(NewWithdrawal), "costId"}, set()),
        (
            pricing_pb2.ResolvePriceRequest.DESCRIPTOR,
            {"customerId", "appId", "at", "knownAt", "explain"},
            {"request_ids"},
        ),
        (pricing_pb2.GetCurrentCostRequest.DESCRIPTOR, {"level", "customerId", "appId"}, set()),
        (
            pricing_pb2.ListCostsRequest.DESCRIPTOR,
            {"level", "customerId", "appId", "limit", "pageToken"},
            set(),
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Descriptor) else "",
)
def test_every_field_of_a_call_is_a_field_of_its_route(
    request_message: Descriptor, rest_fields: set[str], own: set[str]
) -> None:
    assert {rest_name(field.name) for field in request_message.fields if field.name not in own} == rest_fields


@pytest.mark.parametrize(
    ("proto", "rest"),
    [
        ("recipient_phone_number", "recipientPhoneNumber"),
        ("price_micros", "pricePerSms"),
        ("tags[2]", "tags[2]"),
        ("items[17].tags[2]", "tags[2]"),
        ("custom_data_json", "customData"),
        ("page_token", "pageToken"),
        ("rules[1].sms_failing.threshold_percent_micros", "rules[1].threshold"),
        ("rules[1].sms_failing.window", "rules[1].windowSeconds"),
        ("rules[1].units_low.margin_units", "rules[1].margin"),
        ("rules[1].carrier_down.threshold", "rules[1].threshold"),
        ("rules[1].condition", "rules[1]"),
        ("", ""),
    ],
)
def test_names_are_translated_and_positions_kept(proto: str, rest: str) -> None:
    assert rest_name(proto) == rest


@pytest.mark.parametrize("data", ["TUKUPAY", "user_id", "`user_id`", "COST_LEVEL_APP_OWNER", "price_micros is 7"])
def test_what_the_caller_gave_is_never_spelled_anew(data: str) -> None:
    fault = Violation("app_id", "NOT_ALLOWED", f"{data} does not belong to this level")
    assert rest_violations([fault]) == [Violation("appId", "NOT_ALLOWED", f"{data} does not belong to this level")]
    problem = from_service_error(ServiceError(Kind.FAILED_PRECONDITION, "CANCELLED", f"{data} was cancelled"))
    assert problem.detail == f"{data} was cancelled"
    problem = from_service_error(ServiceError(Kind.FAILED_PRECONDITION, "PRICE_GUARD", f"{data}: unusual", [fault]))
    assert problem.detail == f"{data}: unusual"


def test_the_sentence_of_an_invalid_request_names_the_fields_of_rest() -> None:
    error = invalid([Violation("items[3].app_id", "TOO_LONG", "is user_id"), Violation("page_size", "X", "is 7")])
    assert from_service_error(error).detail == "appId: is user_id; limit: is 7"
