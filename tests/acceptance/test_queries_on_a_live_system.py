"""Every query of the alerts and dashboards names series, labels and values that a system under load exports."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NamedTuple

import pytest

from service_kit.version import VERSION
from tests.system.exposition import Figures
from tests.system.promql import Exported, queries
from tests.system.rest import new_phone
from tests.system.running import System
from tests.system.waiting import until

SERVICES = ("messaging", "pricing", "gateway")
REFUSED = "+254700000001"
PROMTOOL = os.environ.get("TUKUPAY_TEST_PROMTOOL") or shutil.which("promtool")
NOT_HERE = {
    # Only with TLS, and only with a carrier that says what our account there holds: other tests have such systems.
    "tukupay_tls_certificate_expiry_timestamp_seconds": {"use"},
    "tukupay_carrier_balance_kes": {"carrier"},
}
"""Metrics without a series on this system, with their labels as the guide has them."""


class Live(NamedTuple):
    """What all three services exported at once."""

    texts: dict[str, str]
    exported: Exported


@pytest.fixture(scope="module")
def live(system: System) -> Live:
    rest, phone = system.rest, new_phone()
    sent = [rest.send("dashboards", priority=priority).entry for priority in ("high", "normal")]
    assert rest.send("dashboards", recipientPhoneNumber=REFUSED).status == 200
    assert rest.send("dashboards", recipientPhoneNumber="0712").status == 400
    assert (
        rest.post("/api/sms/suppressions", {"phoneNumber": phone, "reason": "complained", "createdBy": "test"}).status
        == 201
    )
    assert rest.send("dashboards", recipientPhoneNumber=phone).status == 409
    for entry in sent:
        system.wait_for_state(entry["outboxId"], "delivered")
    until("the queue was counted", lambda: "tukupay_receipts_waiting{" in system.metrics("messaging"))
    texts = {service: system.metrics(service) for service in SERVICES}
    return Live(texts, Exported(map(Figures, texts.values())))


def test_every_query_finds_its_series(live: Live) -> None:
    assert live.exported.blind(queries(), NOT_HERE) == []
    assert NOT_HERE.keys() & live.exported.labels.keys() == set()


def test_a_query_of_what_nobody_exports_is_found(live: Live) -> None:
    asked = [
        ("a", "rate(tukupay_nothing_total[5m])", ""),
        ("b", "sum by (colour, job) (tukupay_serving)", ""),
        ("c", 'rate(tukupay_outcomes_total{kind=~"accepted|strange"}[5m])', "{{carrier}} {{shape}}"),
    ]
    assert live.exported.blind(asked) == [
        "a: no series tukupay_nothing_total",
        "b: tukupay_serving has no label colour",
        "c: tukupay_outcomes_total has no label shape",
        'c: no series tukupay_outcomes_total{kind="strange"}',
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_says_which_release_it_is_and_what_its_process_uses(live: Live, service: str) -> None:
    figures = Figures(live.texts[service])
    assert figures("tukupay_build_info", service=service, version=VERSION) == 1
    names = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds")
    assert [name for name in names if figures(name) <= 0] == []
    assert figures("tukupay_event_loop_lag_seconds_count") > 0


def test_services_with_tables_say_at_which_migration_these_are(live: Live) -> None:
    for service in ("messaging", "pricing"):
        (info,) = Figures(live.texts[service]).families["tukupay_schema_info"].samples
        assert info.labels["service"] == service
        assert info.labels["revision"] == info.labels["needed"]


def test_the_objective_of_the_high_lane_is_a_bound_of_its_histogram(live: Live) -> None:
    assert "2.0" in live.exported.values["tukupay_accept_to_carrier_seconds_bucket", "le"]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize("service", SERVICES)
def test_promtool_has_no_complaint_about_a_scrape(live: Live, service: str) -> None:
    checked = subprocess.run(
        [str(PROMTOOL), "check", "metrics"],
        input=live.texts[service],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
