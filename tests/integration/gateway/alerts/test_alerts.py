"""Alerts over REST."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from tests.doubles.alert_double import ALERT_ID, alert, rule
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import alerts_pb2 as pb

LIST = "/api/sms/alerts"
RULES = f"{LIST}/rules"
RULE = {
    "kind": "balance.low",
    "enabled": True,
    "threshold": 100.5,
    "margin": 10,
    "inUnits": False,
    "windowSeconds": 900,
    "leastMessages": 20,
    "quietHours": None,
}
SHOWN = {
    "alertId": ALERT_ID,
    "userId": "user123",
    "kind": "balance.low",
    "subject": "user123",
    "value": 99.4,
    "threshold": 100.5,
    "raisedAt": "2024-12-15T08:00:00Z",
    "resolvedAt": None,
    "acknowledgedAt": None,
    "acknowledgedBy": None,
    "deliveries": {"pending": 0, "delivered": 1, "failed": 0},
}


async def test_rules_are_shown_and_set(running: Running) -> None:
    assert (await running.http.get(RULES, params={"userId": "user123"})).json() == {"rules": [RULE]}
    wanted = RULE | {"quietHours": {"start": "22:00", "end": "06:30"}}
    response = await running.http.put(RULES, params={"userId": "user123"}, json={"rules": [wanted]})
    assert (response.status_code, response.json()) == (200, {"rules": [wanted]})
    quiet = pb.QuietHours(start_minute=1_320, end_minute=390)
    assert running.alerts.requests[-1] == pb.SetAlertRulesRequest(user_id="user123", rules=[rule(quiet_hours=quiet)])


@pytest.mark.parametrize(
    ("rest", "wire"),
    [
        (
            {"inUnits": True, "threshold": 1_000},
            {"units_low": pb.UnitsLow(threshold_units=1_000, margin_units=10)},
        ),
        (
            {"kind": "sms.failing", "threshold": 12.5, "windowSeconds": 60, "leastMessages": 7},
            {
                "sms_failing": pb.SmsFailing(
                    threshold_percent_micros=12_500_000,
                    margin_percent_micros=10_000_000,
                    window=Duration(seconds=60),
                    least_messages=7,
                )
            },
        ),
        (
            {"kind": "outcomes.unknown", "threshold": 100},
            {"outcomes_unknown": pb.OutcomesUnknown(threshold_messages=100, margin_messages=10)},
        ),
        (
            {"kind": "carrier.down", "threshold": 60.5},
            {
                "carrier_down": pb.CarrierDown(
                    threshold=Duration(seconds=60, nanos=500_000_000), margin=Duration(seconds=10)
                )
            },
        ),
        (
            {"kind": "sms.pumping", "threshold": 2},
            {"sms_pumping": pb.SmsPumping(threshold_blocks=2, margin_blocks=10)},
        ),
        (
            {"kind": "carrier.balance_low"},
            {"carrier_balance_low": pb.CarrierBalanceLow(threshold_micros=100_500_000, margin_micros=10_000_000)},
        ),
    ],
)
async def test_each_condition_has_its_unit_on_the_wire(
    running: Running, rest: dict[str, Any], wire: dict[str, Any]
) -> None:
    wanted = RULE | rest
    response = await running.http.put(RULES, params={"userId": "user123"}, json={"rules": [wanted]})
    assert (response.status_code, response.json()) == (200, {"rules": [wanted]})
    assert running.alerts.requests[-1] == pb.SetAlertRulesRequest(
        user_id="user123", rules=[pb.AlertRule(enabled=True, **wire)]
    )


async def test_alerts_have_filters_and_a_link_to_the_next_page(running: Running) -> None:
    running.alerts.will_answer("ListAlerts", pb.ListAlertsResponse(alerts=[alert()], next_page_token="t/+="))
    response = await running.http.get(LIST, params={"userId": "user123", "onlyOpen": "true", "limit": "1"})
    assert response.json() == [SHOWN]
    asked = pb.ListAlertsRequest(user_id="user123", only_open=True, page_size=1)
    assert running.alerts.request == asked
    await running.http.get(response.links["next"]["url"])
    asked.page_token = "t/+="
    assert running.alerts.requests[1] == asked


async def test_an_alert_is_acknowledged_by_name(running: Running) -> None:
    response = await running.http.post(f"{LIST}/{ALERT_ID}/acknowledge", json={"acknowledgedBy": "amina"})
    assert response.json() == SHOWN | {"acknowledgedAt": "2024-12-15T08:05:00Z", "acknowledgedBy": "amina"}
    unknown = await running.http.post(f"{LIST}/nothing/acknowledge", json={"acknowledgedBy": "amina"})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "ALERT_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["rules"]),
        ({"rules": []}, ["rules"]),
        ({"rules": [RULE | {"threshold": -1, "margin": 0.0000001}]}, ["rules[0].margin", "rules[0].threshold"]),
        (
            {"rules": [RULE | {"windowSeconds": 1, "leastMessages": 0}]},
            ["rules[0].windowSeconds", "rules[0].leastMessages"],
        ),
        ({"rules": [RULE | {"kind": "carrier.down", "inUnits": True}]}, ["rules[0].inUnits"]),
        ({"rules": [RULE | {"inUnits": True, "margin": 0.5}]}, ["rules[0].threshold", "rules[0].margin"]),
        ({"rules": [RULE | {"kind": "outcomes.unknown"}]}, ["rules[0].threshold"]),
    ],
)
async def test_rules_at_fault_are_named(running: Running, body: dict[str, Any], fields: list[str]) -> None:
    response = await running.http.put(RULES, params={"userId": "user123"}, json=body)
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == fields
    assert not running.alerts.requests
