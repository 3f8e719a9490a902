"""Every JSON example of the contract documents, replayed against the running system over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.documented import INSTANT, Number, example, in_order, printed, to_the_letter
from tests.system.fixtures import NewSystem
from tests.system.rest import COSTS, JSON, OUTBOX, RESEND, SEND, SEND_BATCH, Answer
from tests.system.running import System
from tests.system.waiting import until

CURRENT = f"{COSTS}/current"
HISTORY = f"{COSTS}/history"
UNDELIVERABLE = "+254700000008"
REFUSED = "+254700000001"
CHARGED = {"state": "charged", "held": Number("0.0"), "charged": Number("0.6"), "refunded": Number("0.0")}
"""The money of an entry that one carrier took once, beside the documented fields."""


@pytest.fixture(scope="module")
def running(new_system: NewSystem) -> System:
    # The tests empty the price book behind the services' backs, of which no copy of it can hear.
    system = new_system(MESSAGING_PRICE_COPY_ANSWERS="0")
    system.start()
    return system


@pytest.fixture
def system(running: System) -> System:
    """The running system with an empty price book, and with no message of the document's own id."""
    running.pricing_database.run("TRUNCATE cost")
    running.messaging_database.run("DELETE FROM idempotency WHERE key = 'msg123'")
    return running


def replay(system: System, path: str, name: str) -> Answer:
    """POSTs an example."""
    return system.rest.request("POST", path, example(name).encode(), JSON)


def set_printed_costs(system: System) -> None:
    """Records the costs of the document, and the one behind the 0.6 of its send."""
    for name in (
        "set_customer_cost.request.json",
        "set_default_cost.request.json",
        "set_other_customer_cost.request.json",
    ):
        assert replay(system, COSTS, name).status == 201
    system.rest.set_cost("SpecificCustomer", 0.6, customerId="user123")


# Costs.


@pytest.mark.parametrize("kind", ["customer", "default", "other_customer"])
def test_a_printed_cost_is_recorded_as_it_stands(system: System, kind: str) -> None:
    name = f"set_{kind}_cost.request.json"
    answer = replay(system, COSTS, name)
    assert answer.status == 201
    assert answer.headers["content-type"] == "application/json"
    asked = {field: value for field, value in to_the_letter(example(name)).items() if value is not None}
    recorded = to_the_letter(answer.text)
    assert asked.items() <= recorded.items()
    assert recorded.keys() - asked.keys() == {"costId", "recordedAt", "revision"}
    assert recorded["revision"] == Number("1")
    assert INSTANT.fullmatch(recorded["recordedAt"])


def test_the_same_cost_again_is_a_new_revision_and_nothing_is_overwritten(system: System) -> None:
    costs = [replay(system, COSTS, "set_customer_cost.request.json").body for _ in range(2)]
    assert [cost["revision"] for cost in costs] == [1, 2]
    history = system.rest.get(HISTORY, level="SpecificCustomer", customerId="cust123").body
    assert [row["costId"] for row in history] == [cost["costId"] for cost in costs]


def test_the_current_cost_of_a_customer_reads_as_printed(system: System) -> None:
    set_printed_costs(system)
    answer = system.rest.get(CURRENT, level="SpecificCustomer", customerId="cust123")
    documented = to_the_letter(example("current_customer_cost.response.json"))
    assert (answer.status, to_the_letter(answer.text)) == (200, documented)
    assert in_order(answer.body) == in_order(documented)


def test_the_current_default_cost_reads_as_printed(system: System) -> None:
    set_printed_costs(system)
    answer = system.rest.get(CURRENT, level="DirectCustomer")
    documented = to_the_letter(example("current_default_cost.response.json"))
    assert (answer.status, to_the_letter(answer.text)) == (200, documented)
    assert in_order(answer.body) == in_order(documented)


@pytest.mark.parametrize(
    "asked",
    [{"level": "SpecificCustomer", "customerId": "nobody"}, {"level": "AppOwner", "appId": "no-app"}],
    ids=["a customer", "an app"],
)
def test_who_has_no_cost_of_their_own_is_shown_the_default_row(system: System, asked: dict[str, str]) -> None:
    set_printed_costs(system)
    answer = system.rest.get(CURRENT, **asked)
    assert to_the_letter(answer.text) == to_the_letter(example("current_default_cost.response.json"))


@pytest.mark.parametrize(
    "asked",
    [
        {"level": "SpecificCustomer", "customerId": "cust123"},
        {"level": "AppOwner", "appId": "app-1"},
        {"level": "DirectCustomer"},
        {"level": "TukuPay"},
    ],
    ids=lambda asked: asked["level"],
)
def test_the_system_wide_cost_is_the_last_fallback(system: System, asked: dict[str, str]) -> None:
    system.rest.set_cost("TukuPay", 1)
    answer = system.rest.get(CURRENT, **asked)
    assert to_the_letter(answer.text) == {
        "level": "TukuPay",
        "pricePerSms": Number("1.0"),
        "effectiveFrom": "2024-01-01T00:00:00Z",
    }


def test_an_app_has_its_own_cost(system: System) -> None:
    set_printed_costs(system)
    system.rest.set_cost("AppOwner", 0.75, appId="app-1")
    answer = system.rest.get(CURRENT, level="AppOwner", appId="app-1")
    assert to_the_letter(answer.text) == {
        "level": "AppOwner",
        "pricePerSms": Number("0.75"),
        "appId": "app-1",
        "effectiveFrom": "2024-01-01T00:00:00Z",
    }


@pytest.mark.parametrize("level", ["DirectCustomer", "TukuPay"])
def test_no_cost_at_all_is_said_and_not_shown_as_nothing(system: System, level: str) -> None:
    answer = system.rest.get(CURRENT, level=level)
    assert (answer.status, answer.reason) == (404, "NO_PRICE")
    assert system.rest.get(HISTORY, level=level).text == "[]"


def test_the_history_of_a_customer_reads_as_printed(system: System) -> None:
    documented = to_the_letter(example("cost_history.response.json"))
    # The second was set first: what counts is from when a cost applies.
    for row in reversed(json.loads(example("cost_history.response.json"))):
        cost = {name: value for name, value in row.items() if name != "costId"}
        reason = {"reason": "Discount"} if row["level"] == "SpecificCustomer" else {}
        assert system.rest.post(COSTS, cost | reason).status == 201
    answer = system.rest.get(HISTORY, level="SpecificCustomer", customerId="cust123")
    assert answer.status == 200
    history = to_the_letter(answer.text)
    assert len({row["costId"] for row in history}) == 2
    for row, of_document in zip(history, documented, strict=True):
        assert row["costId"]
        assert in_order(row) == in_order(of_document)
        assert row == of_document | {"costId": row["costId"]}


def test_a_long_history_comes_in_pages_that_link_to_the_next(system: System) -> None:
    for price in (0.7, 0.71, 0.72):
        system.rest.set_cost("SpecificCustomer", price, customerId="cust123")
    first = system.rest.get(HISTORY, level="SpecificCustomer", customerId="cust123", limit="2")
    link, _, relation = first.headers["link"].partition("; ")
    assert relation == 'rel="next"'
    second = system.rest.get(link.strip("<>"))
    assert [row["pricePerSms"] for row in first.body + second.body] == [0.7, 0.71, 0.72]
    assert "link" not in second.headers


# Sending.


def assert_timestamps(timestamps: dict[str, Any]) -> None:
    """The three documented times, in UTC."""
    assert list(timestamps) == ["createdAt", "sentAt", "lastAttemptAt"]
    for instant in timestamps.values():
        assert instant is None or INSTANT.fullmatch(instant)


def test_the_printed_send_gets_the_printed_answer(system: System) -> None:
    set_printed_costs(system)
    answer = replay(system, SEND, "send.request.jsonc")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert '"costPerUnit":0.6,"totalCost":0.6,' in answer.text

    sent, documented = to_the_letter(answer.text), to_the_letter(example("send.response.json"))
    entry, of_document = sent["outboxEntry"], documented["outboxEntry"]
    assert list(entry)[-2:] == ["deliveryState", "billing"]
    assert (entry.pop("deliveryState"), entry.pop("billing")) == ("accepted", CHARGED)
    assert in_order(sent) == in_order(documented)
    assert_timestamps(entry["timestamps"])
    # The first attempt counts as an attempt, whatever the sample shows.
    assert entry["timestamps"]["createdAt"] <= entry["timestamps"]["lastAttemptAt"] <= entry["timestamps"]["sentAt"]
    own = {name: entry[name] for name in ("outboxId", "timestamps")}
    assert entry == of_document | own
    assert sent == documented | {"outboxEntry": entry}

    shown = system.phones.wait_for(entry["recipientPhoneNumber"])
    assert shown[-1] == entry["message"]


def test_the_printed_send_in_a_batch_gets_the_printed_answer(system: System) -> None:
    set_printed_costs(system)
    answer = system.rest.post(SEND_BATCH, {"messages": [json.loads(example("send.request.jsonc"))]})
    assert answer.status == 200
    (result,) = to_the_letter(answer.text)["results"]
    documented = to_the_letter(example("send.response.json"))
    assert result["outboxEntry"].pop("deliveryState") == "accepted"
    assert result["outboxEntry"].pop("billing") == CHARGED
    assert in_order({name: result[name] for name in documented}) == in_order(documented)
    own = {name: result["outboxEntry"].pop(name) for name in ("outboxId", "timestamps")}
    assert_timestamps(own["timestamps"])
    entry = {name: value for name, value in documented["outboxEntry"].items() if name not in own}
    assert (result["outboxEntry"], result["message"]) == (entry, documented["message"])


def test_the_entry_alone_reads_like_the_one_in_the_answer(system: System) -> None:
    set_printed_costs(system)
    sent = replay(system, SEND, "send.request.jsonc").entry
    until("the phone has it", lambda: system.state(sent["outboxId"]) == "delivered")
    entry = system.rest.get(f"{OUTBOX}/{sent['outboxId']}")
    shown = to_the_letter(entry.text)
    assert INSTANT.fullmatch(shown.pop("deliveredAt"))
    assert shown == to_the_letter(json.dumps(sent | {"deliveryState": "delivered"}))
    (first, *_) = to_the_letter(system.rest.get(OUTBOX, userId="user123").text)
    assert first == to_the_letter(entry.text)


def test_the_comments_that_the_document_prints_are_not_json(system: System) -> None:
    set_printed_costs(system)
    answer = system.rest.request("POST", SEND, printed("send.request.jsonc").encode(), JSON)
    assert (answer.status, answer.reason) == (400, "MALFORMED_JSON")
    assert "line 8" in answer.problem["detail"]


def test_optional_fields_may_be_null_and_absent_ones_are_left_out(system: System) -> None:
    set_printed_costs(system)
    request = json.loads(example("send.request.jsonc"))
    required = {"userId", "recipientPhoneNumber", "message", "senderId"}
    answer = system.rest.post(SEND, {name: request[name] if name in required else None for name in request})
    entry = to_the_letter(answer.text)["outboxEntry"]
    documented = to_the_letter(example("send.response.json"))["outboxEntry"]
    assert documented.keys() - entry.keys() == {"customData"}
    assert entry.keys() - documented.keys() == {"deliveryState", "billing"}
    assert (entry["messageId"], entry["tags"]) == (entry["outboxId"], [])


def test_a_failed_send_adds_its_reason_to_the_printed_fields(system: System) -> None:
    set_printed_costs(system)
    request = json.loads(example("send.request.jsonc")) | {"recipientPhoneNumber": REFUSED}
    answer = system.rest.post(SEND, request)
    assert (answer.status, answer.body["status"], answer.entry["status"]) == (200, "failed", "failed")
    entry = to_the_letter(answer.text)["outboxEntry"]
    documented = to_the_letter(example("send.response.json"))["outboxEntry"]
    assert entry.keys() - documented.keys() == {
        "errorDetails",
        "errorCode",
        "errorAdvice",
        "resendable",
        "deliveryState",
        "billing",
    }
    assert entry["billing"] == CHARGED | {"state": "released", "charged": Number("0.0")}
    assert documented.keys() <= entry.keys()
    assert_timestamps(entry["timestamps"])
    assert entry["timestamps"]["sentAt"] is None
    assert entry["timestamps"]["lastAttemptAt"] is not None


def test_a_scheduled_send_has_been_neither_attempted_nor_sent(system: System) -> None:
    set_printed_costs(system)
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    request = json.loads(example("send.request.jsonc")) | {"scheduleTimestamp": in_an_hour}
    answer = system.rest.post(SEND, request)
    assert (answer.status, answer.body["status"], answer.entry["status"]) == (202, "success", "pending")
    assert answer.entry["deliveryState"] == "scheduled"
    assert_timestamps(answer.entry["timestamps"])
    assert (answer.entry["timestamps"]["sentAt"], answer.entry["timestamps"]["lastAttemptAt"]) == (None, None)


def test_the_printed_resend_gets_the_printed_answer(system: System) -> None:
    set_printed_costs(system)
    request = json.loads(example("send.request.jsonc")) | {"recipientPhoneNumber": UNDELIVERABLE}
    entry = system.rest.post(SEND, request).entry
    until("the failure was reported", lambda: system.state(entry["outboxId"]) == "undelivered")

    reference = to_the_letter(example("resend.request.json"))
    assert list(reference) == ["outboxId"]
    answer = system.rest.post(RESEND, {"outboxId": entry["outboxId"]})
    assert answer.status == 200
    resent, documented = to_the_letter(answer.text), to_the_letter(example("resend.response.json"))
    updated = resent["updatedOutboxEntry"]
    assert updated.pop("deliveryState") == "accepted"
    # A resend is charged the price of the acceptance, and the charge before it stays.
    assert (updated.pop("costPerUnit"), updated.pop("totalCost")) == (Number("0.6"), Number("0.6"))
    assert updated.pop("billing") == CHARGED | {"charged": Number("1.2")}
    assert in_order(resent) == in_order(documented)
    assert_timestamps(updated["timestamps"])
    assert updated["timestamps"]["createdAt"] == entry["timestamps"]["createdAt"]
    assert updated["timestamps"]["lastAttemptAt"] > entry["timestamps"]["lastAttemptAt"]
    assert updated["timestamps"]["sentAt"] > entry["timestamps"]["sentAt"]
    own = {name: updated[name] for name in ("outboxId", "timestamps")}
    assert resent == documented | {"updatedOutboxEntry": documented["updatedOutboxEntry"] | own}


def test_the_printed_resend_of_an_entry_that_does_not_exist_says_so(system: System) -> None:
    answer = replay(system, RESEND, "resend.request.json")
    assert (answer.status, answer.reason) == (404, "OUTBOX_ENTRY_NOT_FOUND")
