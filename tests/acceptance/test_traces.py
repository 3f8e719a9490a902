"""What becomes of a sampled send, as a receiver of traces sees it; and that nobody else sees anything of tracing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from service_kit.version import VERSION
from tests.doubles.trace_receiver import ReceivedSpan, TraceReceiver
from tests.system.exposition import Figures
from tests.system.fixtures import NewSystem
from tests.system.privacy import OTP
from tests.system.rest import SEND, TEXT, sms
from tests.system.running import System
from tests.system.waiting import until

BATCH = "tukupay.sms.messaging.v1.MessagingService/SendSmsBatch"
PRICES = "tukupay.sms.pricing.v1.PricingService/BatchResolvePrices"


@pytest.fixture(scope="module")
def receiver() -> Iterator[TraceReceiver]:
    made = TraceReceiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def system(new_system: NewSystem, receiver: TraceReceiver) -> System:
    """A system that traces whom callers trace, and nobody else. One unit costs 0.8 KES."""
    endpoints = {f"{part}_TRACING_OTLP_ENDPOINT": receiver.url() for part in ("GATEWAY", "MESSAGING", "PRICING")}
    made = new_system(
        **endpoints,
        GATEWAY_TRACING_OTLP_HEADERS="x-tenant=sms",
        GATEWAY_TRACING_MAX_PER_S="1000",
        MESSAGING_TRACING_MAX_PER_S="1000",
        WEBHOOK_ALLOW_HTTP="true",
        WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
        WEBHOOK_POLL_S="0.1",
    )
    made.start()
    made.rest.set_cost("DirectCustomer", 0.8)
    return made


def traceparent(flags: str = "01") -> tuple[str, str, str]:
    """A header of a caller, with the ids of the trace and of the span in it."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return f"00-{trace_id}-{span_id}-{flags}", trace_id, span_id


def send(system: System, header: str | None, user: str = "traced", **changes: Any) -> httpx.Response:
    """A send with a traceparent, or without for None."""
    headers = {} if header is None else {"traceparent": header}
    with httpx.Client(base_url=system.rest.base_url, timeout=30, trust_env=False, verify=False) as http:
        return http.post(SEND, json=sms(user, **changes), headers=headers)


def tree(receiver: TraceReceiver, trace_id: str, *names: str) -> dict[str, ReceivedSpan]:
    """The spans of a trace, once these are among them."""
    until(f"the spans of {trace_id} have come", lambda: set(names) <= receiver.of_trace(trace_id).keys())
    return receiver.of_trace(trace_id)


def spans_lost(system: System, service: str) -> bool:
    """Whether spans were dropped because the receiver did not take them."""
    return Figures(system.metrics(service))("tukupay_trace_spans_dropped_total", cause="export_failed") > 0


def test_a_sampled_send_is_followed_to_its_receipt_and_its_webhook(system: System, receiver: TraceReceiver) -> None:
    with httpx.Client(base_url=system.rest.base_url, timeout=30, trust_env=False) as http:
        wanted = {"userId": "traced", "url": receiver.url("/hooks"), "events": ["sms.delivered"]}
        http.post("/api/sms/webhooks", json=wanted).raise_for_status()
    header, trace_id, caller = traceparent()
    response = send(system, header)
    outbox_id = response.json()["outboxEntry"]["outboxId"]
    awaited = ("POST /api/sms/send", "POST webhook", "process receipt", f"{PRICES} SERVER", "flush settlement")
    spans = tree(receiver, trace_id, f"{BATCH} CLIENT", *awaited)

    request, batch, item = spans["POST /api/sms/send"], spans[f"{BATCH} CLIENT"], spans["sms send"]
    submit, receipt, webhook = spans["submit_sm"], spans["process receipt"], spans["POST webhook"]
    accepted, settled = spans["flush acceptance"], spans["flush settlement"]
    assert (request.parent, request.kind, request.service) == (caller, "SERVER", "gateway")
    assert (batch.parent, batch.links) == (request.span_id, frozenset({request.span_id}))
    assert spans[f"{BATCH} SERVER"].parent == batch.span_id
    assert (item.parent, item.service) == (request.span_id, "messaging")
    # The first send of an account asks for its price.
    assert spans[f"{PRICES} CLIENT"].parent == spans["flush prices"].span_id
    assert spans[f"{PRICES} SERVER"].parent == spans[f"{PRICES} CLIENT"].span_id
    assert spans[f"{PRICES} SERVER"].service == "pricing"
    assert (accepted.parent, accepted.links) == (item.span_id, frozenset({item.span_id}))
    assert (submit.parent, submit.kind) == (item.span_id, "CLIENT")
    assert (settled.parent, settled.links) == (item.span_id, frozenset({item.span_id}))
    assert (receipt.parent, receipt.links, receipt.kind) == (submit.span_id, frozenset({submit.span_id}), "CONSUMER")
    assert (webhook.parent, webhook.links) == (receipt.span_id, frozenset({receipt.span_id}))
    assert receiver.hooks[-1]["traceparent"] == f"00-{trace_id}-{webhook.span_id}-01"

    assert {span.attributes.get("messaging.message.id") for span in (item, submit, receipt)} == {outbox_id}
    assert request.attributes == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/api/sms/send",
        "http.response.status_code": 200,
    }
    assert submit.attributes["messaging.system"] == "smpp"
    assert [span for span in spans.values() if span.failure is not None] == []
    assert receiver.headers[0]["content-type"] == "application/x-protobuf"
    about = request.resource
    assert (about["service.namespace"], about["service.version"]) == ("tukupay-sms", VERSION)
    assert {span.resource["service.instance.id"] for span in spans.values()} != {about["service.instance.id"]}
    # Whoever reads a log finds the trace, and whoever reads the trace the row.
    assert f'"trace_id": "{trace_id}"' in system.gateway.log
    assert f'"trace_id": "{trace_id}"' in system.messaging.log
    query = "SELECT encode(trace_id, 'hex') FROM message_event WHERE message_id = %s::uuid ORDER BY id"
    rows = system.messaging_database.rows(query, outbox_id.removeprefix("outbox_"))
    assert [row[0] for row in rows] == [trace_id + span.span_id for span in (item, submit, receipt)]


def test_latencies_of_sampled_requests_lead_to_their_traces(system: System, receiver: TraceReceiver) -> None:
    header, trace_id, _ = traceparent()
    send(system, header)
    tree(receiver, trace_id, f"{BATCH} SERVER", "flush settlement")
    gateway, messaging = (system.metrics(part, "application/openmetrics-text") for part in ("gateway", "messaging"))
    marked = f'# {{trace_id="{trace_id}"}}'
    assert has_line(gateway, "tukupay_http_request_seconds_bucket", 'route="/api/sms/send"', marked)
    assert has_line(messaging, "tukupay_grpc_server_call_seconds_bucket", "SendSmsBatch", marked)
    assert has_line(messaging, "tukupay_accept_to_carrier_seconds_bucket", marked)
    assert trace_id not in system.metrics("gateway")
    # What is not sampled has none; the bucket keeps the last one that was.
    unsampled, other, _ = traceparent("00")
    send(system, unsampled)
    assert other not in system.metrics("gateway", "application/openmetrics-text")


def has_line(text: str, *parts: str) -> bool:
    return any(all(part in line for part in parts) for line in text.splitlines())


def test_a_send_from_the_queue_goes_on_in_its_trace(system: System, receiver: TraceReceiver) -> None:
    header, trace_id, _ = traceparent()
    # Whether a time is over, the queue decides.
    send(system, header, scheduleTimestamp="2026-01-01T00:00:00Z")
    spans = tree(receiver, trace_id, "flush settlement", "process receipt", "POST /api/sms/send")
    item, submit, settled = spans["sms send"], spans["submit_sm"], spans["flush settlement"]
    assert (submit.parent, submit.links) == (item.span_id, frozenset({item.span_id}))
    assert (settled.parent, settled.links) == (submit.span_id, frozenset({submit.span_id}))
    assert spans["process receipt"].parent == submit.span_id


def test_a_failure_is_named_by_its_reason(system: System, receiver: TraceReceiver) -> None:
    header, trace_id, _ = traceparent()
    assert send(system, header, senderId="no/sender").json()["reason"] == "INVALID_ARGUMENT"
    spans = tree(receiver, trace_id, "sms send", "POST /api/sms/send")
    assert spans["sms send"].failure == "INVALID_ARGUMENT"
    # It is the caller's, not ours.
    assert spans["POST /api/sms/send"].failure is None
    assert spans["POST /api/sms/send"].attributes["error.type"] == "INVALID_ARGUMENT"


def test_what_is_not_sampled_leaves_nothing_behind(system: System, receiver: TraceReceiver) -> None:
    unsampled, ignored, _ = traceparent("00")
    for header in (None, unsampled, "garbage", f"00-{'0' * 32}-{'1' * 16}-01", "00-" + "f" * 200, "ff" + unsampled[2:]):
        assert send(system, header, user="untraced").status_code == 200
    # All that came before has been exported once this has.
    last, trace_id, _ = traceparent()
    send(system, last)
    tree(receiver, trace_id, "POST /api/sms/send", "flush settlement")
    assert receiver.of_trace(ignored) == {}
    assert not [span for span in receiver.spans if span.trace_id == "0" * 32]
    assert all(span.parent for span in receiver.spans), "no trace begins here"
    query = "SELECT count(*) FROM message_event e JOIN message m ON m.id = e.message_id WHERE m.account_id = 'untraced'"
    assert system.messaging_database.value(query + " AND e.trace_id IS NOT NULL") == 0


def test_spans_hold_neither_texts_nor_numbers(system: System, receiver: TraceReceiver) -> None:
    header, trace_id, _ = traceparent()
    request = sms("traced")
    send(system, header, recipientPhoneNumber=request["recipientPhoneNumber"])
    tree(receiver, trace_id, "POST /api/sms/send", "flush settlement", "process receipt")
    for private in (OTP, TEXT, request["recipientPhoneNumber"].lstrip("+"), "traced", "TUKUPAY"):
        assert private.encode() not in receiver.octets, private


def test_a_receiver_that_is_down_harms_no_send(system: System, receiver: TraceReceiver) -> None:
    with receiver.down():
        with (
            httpx.Client(base_url=system.rest.base_url, timeout=30, trust_env=False) as http,
            ThreadPoolExecutor(20) as pool,
        ):

            def one(_: int) -> int:
                return http.post(SEND, json=sms("traced"), headers={"traceparent": traceparent()[0]}).status_code

            answers = list(pool.map(one, range(200)))
        assert answers == [200] * 200
        for service in ("gateway", "messaging"):
            until(f"{service} counts what is lost", partial(spans_lost, system, service))
    assert system.gateway.log.count("tracing.export_fails") == 1
    # Once it is back, spans come again.
    header, trace_id, _ = traceparent()
    send(system, header)
    tree(receiver, trace_id, "POST /api/sms/send", "flush settlement")
    assert Figures(system.metrics("gateway"))("tukupay_trace_spans_exported_total") > 0
