"""What a running system exports moves with what goes through it, and tells nothing private."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.system.exposition import Figures
from tests.system.privacy import leaks
from tests.system.rest import new_phone
from tests.system.running import System
from tests.system.waiting import until

SERVICES = ("messaging", "pricing", "gateway")
REFUSED = "+254700000001"
SENDS = "tukupay_http_requests_total"


def figures(system: System, service: str) -> Figures:
    return Figures(system.metrics(service))


def test_a_send_moves_the_figures_of_every_service(system: System) -> None:
    system.rest.set_cost("SpecificCustomer", 0.5, customerId="metered")
    before = {service: figures(system, service) for service in SERVICES}
    assert system.rest.send("metered").status == 200
    assert system.rest.send("metered", recipientPhoneNumber=REFUSED).status == 200
    assert system.rest.send("metered", recipientPhoneNumber="0712").status == 400
    after = {service: figures(system, service) for service in SERVICES}

    def rise(service: str, sample: str, **labels: str) -> float:
        return after[service](sample, **labels) - before[service](sample, **labels)

    assert rise("gateway", SENDS, route="/api/sms/send", status_class="2xx") == 2
    assert rise("gateway", SENDS, route="/api/sms/send", status_class="4xx") == 1
    assert rise("gateway", "tukupay_send_batch_items_sum") == 3
    assert rise("messaging", "tukupay_grpc_server_calls_total", method="MessagingService/SendSmsBatch") == 3
    assert rise("messaging", "tukupay_flush_items_sum", flush="acceptance") == 2
    assert rise("messaging", "tukupay_flush_items_sum", flush="settlement") == 2
    assert rise("messaging", "tukupay_outcomes_total", kind="accepted", carrier="sandbox", code="none") == 1
    assert rise("messaging", "tukupay_outcomes_total", kind="refused", carrier="sandbox") == 1
    assert rise("messaging", "tukupay_settled_micros_total", by="attempt", billing="charged") == 500_000
    assert rise("messaging", "tukupay_settled_micros_total", by="attempt", billing="released") == 500_000
    assert rise("messaging", "tukupay_price_copy_misses_total") >= 1
    assert rise("pricing", "tukupay_grpc_server_calls_total", method="PricingService/BatchResolvePrices") >= 1


def test_carriers_prices_and_watches_show_that_all_is_well(system: System) -> None:
    messaging, pricing = figures(system, "messaging"), figures(system, "pricing")
    assert messaging("tukupay_carrier_up", carrier="sandbox") == 1
    assert messaging("tukupay_carrier_binds", carrier="sandbox", state="up") == 1
    # Other tests have the carrier ask for a slower pace, and the window grows back slowly.
    assert 1 <= messaging("tukupay_carrier_window", carrier="sandbox") <= 100
    assert messaging("tukupay_price_copy_watch_open") == 1
    assert messaging("tukupay_price_copy_staleness_seconds") < 10
    assert pricing("tukupay_price_watchers") == 1
    assert pricing("tukupay_price_book_staleness_seconds") < 10
    assert messaging("tukupay_price_copy_epoch") <= pricing("tukupay_price_book_epoch")


def test_a_receipt_is_counted_as_it_comes(system: System) -> None:
    def matched() -> float:
        return figures(system, "messaging")("tukupay_receipts_matched_total")

    before = matched()
    entry = system.rest.send("metered").entry
    system.wait_for_state(entry["outboxId"], "delivered")
    until("the receipt is counted", lambda: matched() > before)


@pytest.mark.parametrize("service", SERVICES)
def test_no_text_number_key_or_account_is_exported(system: System, service: str) -> None:
    phone = new_phone()
    answer = system.rest.send(
        "canary-account", recipientPhoneNumber=phone, senderId="CANARY", messageId=f"canary-{service}"
    )
    assert answer.status == 200
    assert system.rest.get(f"/api/sms/outbox/{answer.entry['outboxId']}").status == 200
    assert system.rest.get("/api/sms/outbox", userId="canary-account").status == 200
    assert system.rest.get("/api/sms/outbox/canary-account/unknown").status == 404
    text = system.metrics(service)
    assert leaks(text) == []
    assert not re.search(f"canary|{re.escape(phone)}|{phone[1:]}|{answer.entry['outboxId']}", text, re.IGNORECASE)


@pytest.mark.parametrize("service", SERVICES)
def test_every_metric_is_documented_and_every_documented_one_is_there(system: System, service: str) -> None:
    system.rest.send("metered")
    assert figures(system, service).documented_wrongly(service) == []


def test_the_public_address_of_the_gateway_serves_no_metrics(system: System) -> None:
    assert httpx.get(f"{system.rest.base_url}/metrics", trust_env=False).status_code == 404
