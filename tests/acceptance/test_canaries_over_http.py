"""A number, an OTP and a credential go through the gateway in every spelling: no log, figure or error tells them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, unquote

import grpc
import httpx
import pytest
from grpc_status import rpc_status

from tests.system.privacy import OTP
from tests.system.rest import COSTS, JSON, OUTBOX, SEND, SEND_BATCH, sms
from tests.system.running import System
from tukupay.sms.messaging.v1 import (
    messaging_pb2,
    messaging_pb2_grpc,
    privacy_pb2,
    privacy_pb2_grpc,
    suppressions_pb2,
    suppressions_pb2_grpc,
)
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

SUBSCRIBER: Final = "798406135"
SPELLINGS: Final = (
    f"+254{SUBSCRIBER}",
    f"254{SUBSCRIBER}",
    f"0{SUBSCRIBER}",
    f"00254{SUBSCRIBER}",
    "+254 798 406 135",
    "0798-406-135",
    "(0798) 406135",
    f"%2B254{SUBSCRIBER}",
    f"+254{SUBSCRIBER}0",
    "\uff10\uff17\uff19\uff18\uff14\uff10\uff16\uff11\uff13\uff15",
)
QUESTIONS: Final = (OUTBOX, "/api/sms/suppressions", "/api/sms/suppressions/check", "/api/sms/balance", COSTS)
KEY: Final = "tk_live_Canary12_" + "C4nary" * 6 + "zz"
_BETWEEN_DIGITS: Final = re.compile(r"[\s()\-.]")


def tells(text: str) -> list[str]:
    """The canaries in a text, however they are spelled there."""
    plain = _BETWEEN_DIGITS.sub("", unquote(unquote(text)))
    return [canary for canary in (SUBSCRIBER, SPELLINGS[-1][1:], OTP, KEY[17:40]) if canary in plain]


def through_the_gateway(system: System) -> Iterator[str]:
    """Every spelling in bodies, in questions and in paths; what the refusals say."""
    with httpx.Client(base_url=system.rest.base_url, timeout=30, trust_env=False) as http:
        for spelling in SPELLINGS:
            body = sms("canaries", recipientPhoneNumber=spelling)
            asked = {"phoneNumber": spelling, "recipientPhoneNumber": spelling, "userId": "canaries"}
            broken = f'{{"recipientPhoneNumber": "{spelling}", {OTP}'
            answers = [
                http.post(SEND, json={**body, "senderId": ""}),
                http.post(SEND_BATCH, json={"messages": [{**body, "senderId": ""}, {**body, "priority": spelling}]}),
                http.post("/api/sms/quote", json={"userId": "canaries", "recipientPhoneNumber": spelling}),
                http.post("/api/sms/suppressions", json={"phoneNumber": spelling, "senderId": "", "reason": spelling}),
                http.post("/api/privacy/erasures", json={"phoneNumber": spelling, "phone": spelling}),
                http.post(SEND, json={**body, "priority": spelling, "scheduleTimestamp": spelling}),
                http.post(SEND, content=broken.encode(), headers=JSON),
                http.post(SEND, json={}, headers={"Authorization": f"Bearer {KEY}"}),
                *(http.get(path, params={**asked, "limit": spelling}) for path in QUESTIONS),
                *(http.get(f"{path}/{quote(spelling)}") for path in (OUTBOX, "/api/sms/suppressions", "/api/sms")),
            ]
            yield from (answer.text for answer in answers if answer.is_error)


def over_grpc(system: System) -> Iterator[str]:
    """The same past the gateway; what the statuses say."""
    options = (("grpc.enable_http_proxy", 0),)
    with (
        grpc.insecure_channel(system.messaging_address, options=options) as messaging,
        grpc.insecure_channel(system.pricing_address, options=options) as pricing,
    ):
        sends = messaging_pb2_grpc.MessagingServiceStub(messaging)
        stops = suppressions_pb2_grpc.SuppressionServiceStub(messaging)
        erases = privacy_pb2_grpc.PrivacyServiceStub(messaging)
        prices = pricing_pb2_grpc.PricingServiceStub(pricing)
        for phone in SPELLINGS:
            send = messaging_pb2.SendSmsRequest(user_id="canaries", recipient_phone_number=phone, message=OTP)
            quoted = messaging_pb2.QuoteSmsRequest(user_id="canaries", recipient_phone_number=phone, message=OTP)
            for call, request in (
                (sends.SendSms, send),
                (sends.QuoteSms, quoted),
                (sends.GetOutboxEntry, messaging_pb2.GetOutboxEntryRequest(outbox_id=phone)),
                (sends.ListOutboxEntries, messaging_pb2.ListOutboxEntriesRequest(recipient_phone_number=phone)),
                (stops.CheckSuppression, suppressions_pb2.CheckSuppressionRequest(phone_number=phone)),
                (erases.ErasePhone, privacy_pb2.ErasePhoneRequest(phone_number=phone)),
                (prices.ResolvePrice, pricing_pb2.ResolvePriceRequest(customer_id="", app_id=phone)),
            ):
                yield from _refusal(call, request)


def _refusal(call: Callable[..., object], request: object) -> Iterator[str]:
    try:
        call(request, timeout=30, metadata=(("authorization", f"Bearer {KEY}"),))
    except grpc.RpcError as error:
        # Its text has the status and the details; the rest of what a caller sees is in the metadata.
        metadata = rpc_status.from_call(error)
        yield f"{error} {metadata}"


@pytest.mark.parametrize("ways", [through_the_gateway, over_grpc])
def test_no_spelling_of_a_number_is_told_by_any_service(
    system: System, ways: Callable[[System], Iterator[str]]
) -> None:
    refusals = list(ways(system))
    assert len(refusals) >= 5 * len(SPELLINGS)
    assert [refusal for refusal in refusals if tells(refusal)] == []
    for process in (system.gateway, system.messaging, system.pricing):
        told = [line for line in process.log.splitlines() if tells(line)]
        assert told == [], process.name
        assert tells(system.metrics(process.name)) == [], process.name
