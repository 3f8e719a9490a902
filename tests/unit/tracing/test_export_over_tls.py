"""Spans over https go to a receiver of the authority that is set, with the header fields that are set."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.registry import CollectorRegistry

from gateway_http.gateway_tracing import GatewayTracing
from service_kit.settings import load
from service_kit.tracing.open_tracing import open_tracing
from service_kit.tracing.span import SpanKind
from tests.doubles.trace_receiver import TraceReceiver
from tests.system.certificates import Authority


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[TraceReceiver]:
    authority = Authority()
    authority.write(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.sign().write(tmp_path, "server"))
    made = TraceReceiver(tls=tls)
    yield made
    made.close()


async def export_one(receiver: TraceReceiver, authority: Path) -> CollectorRegistry:
    environ = {
        "GATEWAY_TRACING_OTLP_ENDPOINT": receiver.url(),
        "GATEWAY_TRACING_OTLP_CA_FILE": str(authority),
        "GATEWAY_TRACING_OTLP_HEADERS": "authorization=Bearer secret",
    }
    registry = CollectorRegistry()
    tracing = open_tracing(load(GatewayTracing, environ), registry, service="gateway", instance="one")
    assert tracing.tracer is not None
    tracing.tracer.begin("work", SpanKind.INTERNAL).end()
    await tracing.close()
    return registry


async def test_the_receiver_is_known_by_its_authority(receiver: TraceReceiver, tmp_path: Path) -> None:
    registry = await export_one(receiver, tmp_path / "ca.crt")
    assert registry.get_sample_value("tukupay_trace_spans_exported_total") == 1
    assert [span.name for span in receiver.spans] == ["work"]
    assert receiver.headers[0]["authorization"] == "Bearer secret"


async def test_another_receiver_gets_nothing(receiver: TraceReceiver, tmp_path: Path) -> None:
    other = Authority("others").write(tmp_path, "other")
    registry = await export_one(receiver, other)
    assert registry.get_sample_value("tukupay_trace_spans_dropped_total", {"cause": "export_failed"}) == 1
    assert receiver.octets == b""
