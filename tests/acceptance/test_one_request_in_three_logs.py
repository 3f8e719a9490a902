"""From the id of a request to everything that the gateway, messaging and pricing logged about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.system.exposition import Figures
from tests.system.fixtures import NewSystem
from tests.system.rest import SEND, SEND_BATCH, answer_of, sms
from tests.system.running import System
from tests.system.waiting import until
from tukupay.sms.messaging.v1 import messaging_pb2, messaging_pb2_grpc

TOGETHER = 24


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    """A system in which nobody but `priced` has a price."""
    made = new_system()
    made.start()
    made.rest.set_cost("SpecificCustomer", 0.8, customerId="priced", reason="agreed")
    return made


def lines(system: System, request_id: str) -> dict[str, list[dict[str, Any]]]:
    """What each service logged about a request, in its order; services that logged nothing are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for process in (system.gateway, system.messaging, system.pricing):
        for line in process.log.splitlines():
            # The last one may still be on its way.
            if (
                line.startswith("{")
                and line.endswith("}")
                and (entry := json.loads(line)).get("request_id") == request_id
            ):
                found.setdefault(process.name, []).append(entry)
    return found


def events(system: System, request_id: str) -> dict[str, list[str]]:
    """The names of these lines."""
    return {name: [entry["event"] for entry in entries] for name, entries in lines(system, request_id).items()}


def events_in_time(
    system: System, request_id: str, expected: dict[str, list[str]], *, but: str | None = None
) -> dict[str, list[str]]:
    """The names of these lines, once they are the expected ones: a service may write its line after its answer left.

    `but`: a service whose lines do not matter.
    """

    def look() -> dict[str, list[str]]:
        return {name: found for name, found in events(system, request_id).items() if name != but}

    with suppress(AssertionError):
        until("the lines are there", lambda: look() == expected)
    return look()


def send_together(system: System, users: Sequence[str]) -> list[tuple[str, httpx.Response]]:
    """Sends that begin at one moment, each with an id of its own; the ids and the answers."""
    begin = Barrier(len(users))

    def send(numbered: tuple[int, str]) -> tuple[str, httpx.Response]:
        number, user = numbered
        request_id = f"together-{user}-{number}"
        with httpx.Client(base_url=system.rest.base_url, timeout=30, trust_env=False) as http:
            begin.wait()
            return request_id, http.post(SEND, json=sms(user), headers={"X-Request-Id": request_id})

    with ThreadPoolExecutor(len(users)) as pool:
        return list(pool.map(send, enumerate(users)))


def batches(system: System) -> float:
    """How many calls of the gateway took sends to messaging."""
    (line,) = [
        line
        for line in system.metrics("gateway").splitlines()
        if line.startswith("tukupay_grpc_client_calls_total") and "SendSmsBatch" in line and '"OK"' in line
    ]
    return float(line.rsplit(" ", 1)[1])


def test_each_send_of_a_coalesced_batch_has_its_own_lines(system: System) -> None:
    system.rest.send("priced")
    before = batches(system)
    users = ["priced", "unpriced"] * (TOGETHER // 2)
    answers = send_together(system, users)
    assert batches(system) - before < TOGETHER
    for (request_id, response), user in zip(answers, users, strict=True):
        answer = answer_of(response)
        assert response.headers["x-request-id"] == request_id
        if user == "priced":
            assert answer.status == 200
            # Pricing is asked only by those that find no price kept.
            expected = {"gateway": ["http.answered"], "messaging": ["batch_item.answered"]}
            assert events_in_time(system, request_id, expected, but="pricing") == expected
            (item,) = lines(system, request_id)["messaging"]
            assert item["outbox_id"] == answer.entry["outboxId"]
        else:
            assert (answer.reason, answer.problem["requestId"]) == ("NO_PRICE", request_id)
            expected = {
                "gateway": ["http.refused", "http.answered"],
                "messaging": ["batch_item.refused"],
                "pricing": ["price.refused"],
            }
            assert events_in_time(system, request_id, expected) == expected
            found = lines(system, request_id)
            assert {found[name][0]["reason"] for name in found} == {"NO_PRICE"}


def test_a_failing_request_names_the_id_that_the_gateway_made_for_it(system: System) -> None:
    answer = system.rest.send("unpriced")
    request_id = answer.problem["requestId"]
    until("all three have logged it", lambda: events(system, request_id).keys() == {"gateway", "messaging", "pricing"})


def test_a_refused_call_of_a_route_is_found_in_the_service_that_refused_it(system: System) -> None:
    with httpx.Client(base_url=system.rest.base_url, timeout=30, trust_env=False) as http:
        url = "/api/sms-costs/resolve?customerId=unpriced"
        response = http.get(url, headers={"X-Request-Id": "resolve-1"})
    assert response.json()["requestId"] == "resolve-1"
    expected = {"gateway": ["http.refused", "http.answered"], "pricing": ["rpc.refused"]}
    assert events_in_time(system, "resolve-1", expected) == expected


def test_the_items_of_one_batch_request_share_its_id(system: System) -> None:
    messages = [sms("priced", messageId="of-a-batch"), sms("unpriced", messageId="of-a-batch")]
    with httpx.Client(base_url=system.rest.base_url, timeout=30, trust_env=False) as http:
        response = http.post(SEND_BATCH, json={"messages": messages}, headers={"X-Request-Id": "batch-1"})
    assert response.status_code in {200, 207}
    both = ["batch_item.answered", "batch_item.refused"]
    until("both are logged", lambda: sorted(events(system, "batch-1").get("messaging", ())) == both)


def test_a_caller_over_grpc_gives_an_id_or_is_told_the_one_of_its_failure(system: System) -> None:
    request = messaging_pb2.SendSmsRequest(
        user_id="unpriced", recipient_phone_number="+254712345678", message="m", sender_id="TUKUPAY"
    )
    with grpc.insecure_channel(system.messaging_address, options=(("grpc.enable_http_proxy", 0),)) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        for metadata in ((("x-request-id", "grpc-1"),), (("x-request-id", "not valid"),), ()):
            with pytest.raises(grpc.RpcError) as caught:
                stub.SendSms(request, metadata=metadata, timeout=30)
            info = error_details_pb2.RequestInfo()
            assert any(detail.Unpack(info) for detail in rpc_status.from_call(caught.value).details)
            assert (info.request_id == "grpc-1") == (metadata == (("x-request-id", "grpc-1"),))
            expected = {"messaging": ["rpc.refused"], "pricing": ["price.refused"]}
            assert events_in_time(system, info.request_id, expected) == expected
        own = messaging_pb2.SendSmsRequest(request_id="of-the-item")
        own.MergeFrom(request)
        (answer,) = stub.SendSmsBatch(messaging_pb2.SendSmsBatchRequest(items=[own]), timeout=30)
        assert answer.results[0].error.metadata["request_id"] == "of-the-item"


def refusals(system: System, service: str, **labels: str) -> float:
    return Figures(system.metrics(service))("tukupay_refusals_total", **labels)


def test_a_table_that_is_missing_shows_in_the_metrics_by_its_reason(system: System) -> None:
    system.messaging_database.run("ALTER TABLE idempotency RENAME TO idempotency_of_another_release")
    try:
        answer = system.rest.send("priced")
    finally:
        system.messaging_database.run("ALTER TABLE idempotency_of_another_release RENAME TO idempotency")
    assert answer.reason == "DATABASE_NOT_READY"
    assert refusals(system, "messaging", event="batch_item.refused", reason=answer.reason) == 1
    assert refusals(system, "gateway", event="http.problem", reason=answer.reason) == 1
    request_id = answer.problem["requestId"]
    until("both have logged it", lambda: {"gateway", "messaging"} <= events(system, request_id).keys())
    found = lines(system, request_id)
    assert [found[service][0]["reason"] for service in ("gateway", "messaging")] == [answer.reason] * 2
    until("the system is ready again", system.rest.is_ready)


def test_a_send_that_a_stopped_service_fails_is_found_where_it_got_to(system: System) -> None:
    system.pricing.stop()
    try:
        (request_id, response), *_ = send_together(system, ["unpriced"])
    finally:
        system.pricing.start()
    assert answer_of(response).reason == "PRICING_UNAVAILABLE"
    expected = {"gateway": ["http.problem", "http.answered"], "messaging": ["batch_item.refused"]}
    assert events_in_time(system, request_id, expected) == expected
    until("the system is ready again", system.rest.is_ready)
    assert refusals(system, "messaging", event="batch_item.refused", reason="PRICING_UNAVAILABLE") == 1
    assert Figures(system.metrics("messaging"))("tukupay_failures_total", event="pricing.call_failed") >= 1
