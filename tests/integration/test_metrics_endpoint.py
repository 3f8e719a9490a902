"""The figures of a process, over real HTTP on an address of their own."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from prometheus_client import Counter, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.metrics.exposition import metrics_served
from service_kit.metrics.loop_lag import LoopLag
from service_kit.metrics.registry import new_registry
from service_kit.settings import Address
from service_kit.version import VERSION
from tests.system.ports import free_port
from tests.system.waiting import eventually


def local(port: int) -> Address:
    return Address("127.0.0.1", port)


async def test_the_figures_are_served_in_the_text_format() -> None:
    registry, port = new_registry("messaging"), free_port()
    Counter("tukupay_tries", "Tries.", ("kind",), registry=registry).labels("odd").inc(3)
    Histogram("tukupay_try_seconds", "Times.", registry=registry, buckets=(1.0, 2.0)).observe(1.5)
    async with metrics_served(local(port), registry), httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {sample.name: sample.value for sample in families["tukupay_tries"].samples} == {"tukupay_tries_total": 3}
    assert [sample.value for sample in families["tukupay_try_seconds"].samples] == [0, 1, 1, 1, 1.5]
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"} <= families.keys()
    assert not [name for name in families if name.endswith("_created")]


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1",
            True,
        ),
        ("text/html, Application/OpenMetrics-Text", True),
        ("application/openmetrics-text;q=0, text/plain", False),
        ("text/plain;version=0.0.4", False),
        ("*/*", False),
    ],
)
async def test_openmetrics_is_for_who_asks_for_it(accept: str, is_openmetrics: bool) -> None:
    registry, port = new_registry("pricing"), free_port()
    times = Histogram("tukupay_try_seconds", "Times.", registry=registry, buckets=(1.0, 2.0))
    times.observe(1.5, {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"})
    async with metrics_served(local(port), registry), httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text" if is_openmetrics else "text/plain")
    assert answer.headers["vary"] == "accept"
    assert answer.text.endswith("# EOF\n") is is_openmetrics
    exemplar = '# {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 1.5'
    assert (exemplar in answer.text) is is_openmetrics
    assert "_created" not in answer.text
    if is_openmetrics:
        families = {family.name: family for family in openmetrics(answer.text)}  # type: ignore[no-untyped-call]
        assert families["tukupay_build_info"].samples[0].labels == {"service": "pricing", "version": VERSION}
        assert [each.exemplar is not None for each in families["tukupay_try_seconds"].samples] == [0, 1, 0, 0, 0]


async def test_the_lag_of_the_loop_is_seen_when_something_holds_it_up() -> None:
    registry, now = new_registry("messaging"), [0.0]
    lag = LoopLag(registry, lambda: now[0])
    lag.start()
    now[0] = 0.75

    async def looked() -> float | None:
        return registry.get_sample_value("tukupay_event_loop_lag_seconds_count")

    await eventually("a look", looked)
    assert registry.get_sample_value("tukupay_event_loop_lag_seconds_sum") == pytest.approx(0.65)
    assert registry.get_sample_value("tukupay_event_loop_lag_seconds_bucket", {"le": "0.5"}) == 0
    lag.stop()
    assert registry.get_sample_value("tukupay_event_loop_lag_seconds_count") is None


async def test_nothing_else_is_served_there() -> None:
    registry, port = new_registry("messaging"), free_port()
    async with metrics_served(local(port), registry), httpx.AsyncClient(trust_env=False) as http:
        base = f"http://127.0.0.1:{port}"
        assert (await http.get(f"{base}/")).status_code == 404
        assert (await http.get(f"{base}/metrics/x")).status_code == 404
        refused = await http.post(f"{base}/metrics", content=b"x")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        head = await http.head(f"{base}/metrics")
        assert (head.status_code, head.content) == (200, b"")


async def test_two_registries_share_nothing() -> None:
    first, second = new_registry("messaging"), new_registry("pricing")
    Counter("tukupay_tries", "Tries.", registry=first).inc()
    Counter("tukupay_tries", "Tries.", registry=second)
    assert (first.get_sample_value("tukupay_tries_total"), second.get_sample_value("tukupay_tries_total")) == (1, 0)


async def test_without_an_address_nothing_listens() -> None:
    async with metrics_served(None, new_registry("messaging")):
        assert MessagingSettings.__dataclass_fields__["metrics_address"].default is None


async def test_a_scraper_that_keeps_its_connection_does_not_hold_up_the_end() -> None:
    port = free_port()
    async with httpx.AsyncClient(trust_env=False) as http:
        async with asyncio.timeout(3), metrics_served(local(port), new_registry("messaging")):
            assert (await http.get(f"http://127.0.0.1:{port}/metrics")).status_code == 200
        with pytest.raises(httpx.TransportError):
            await http.get(f"http://127.0.0.1:{port}/metrics")


async def test_a_taken_address_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with metrics_served(local(port), new_registry("messaging")):
                pass
