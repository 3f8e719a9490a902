"""The documented operations of alerts."""

from __future__ import annotations

from gateway_http.alerts.alert_models import Acknowledgement, Alert, AlertRules
from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Many, Operation, Tag
from gateway_http.openapi.parameters import USER_ID, page_parameters, path_parameter, query_parameter
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls

TAG = Tag("Alerts", "Warnings of what goes wrong, or soon will.")

_ID = "alert_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"
_RULE: Json = {
    "kind": "balance.low",
    "enabled": True,
    "threshold": 500,
    "margin": 50,
    "inUnits": False,
    "windowSeconds": 900,
    "leastMessages": 20,
    "quietHours": {"start": "22:00", "end": "06:00"},
}
_ALERT: Json = {
    "alertId": _ID,
    "userId": "user123",
    "kind": "balance.low",
    "subject": "user123",
    "value": 499.4,
    "threshold": 500,
    "raisedAt": "2024-12-15T08:00:00Z",
    "resolvedAt": None,
    "acknowledgedAt": None,
    "acknowledgedBy": None,
    "deliveries": {"pending": 0, "delivered": 1, "failed": 0},
}
_SEEN: Json = {**_ALERT, "acknowledgedAt": "2024-12-15T08:05:00Z", "acknowledgedBy": "amina"}

LIST_ALERTS = Operation(
    "get",
    "/api/sms/alerts",
    "listAlerts",
    TAG,
    "List the alerts of an account",
    "Newest first, with what became of them at webhooks and channels. Follow the `Link` header for the next page.",
    access=calls("AlertService/ListAlerts"),
    answers={
        200: Answer(
            "The alerts, newest first.",
            Many(Alert),
            {"alerts": [_ALERT]},
            headers=("Link",),
        )
    },
    problems=READ_FAILURES,
    parameters=(
        USER_ID,
        query_parameter("onlyOpen", "`true` for only those that are not resolved.", {"enum": ["true", "false"]}),
        *page_parameters("Alerts", 500),
    ),
)

GET_ALERT_RULES = Operation(
    "get",
    "/api/sms/alerts/rules",
    "getAlertRules",
    TAG,
    "Show the alert rules of an account",
    "The account's rules of every kind, the defaults where it has set none.",
    access=calls("AlertService/GetAlertRules"),
    answers={200: Answer("One rule of each kind.", AlertRules, {"rules": {"rules": [_RULE]}})},
    problems=READ_FAILURES,
    parameters=(USER_ID,),
)

SET_ALERT_RULES = BodyOperation(
    "put",
    "/api/sms/alerts/rules",
    "setAlertRules",
    TAG,
    "Set the alert rules of an account",
    "Sets the rules that are given, all or none; kinds that are not given keep theirs. A crossing of the threshold "
    "raises one alert, and the next only after the value was back by the margin.",
    access=calls("AlertService/SetAlertRules"),
    answers={200: Answer("One rule of each kind, as they hold now.", AlertRules, {"set": {"rules": [_RULE]}})},
    problems=WRITE_FAILURES,
    parameters=(USER_ID,),
    body=AlertRules,
    body_examples={
        "balance": {"rules": [_RULE]},
        "units": {
            "rules": [{"kind": "balance.low", "enabled": True, "threshold": 1000, "margin": 100, "inUnits": True}]
        },
    },
)

ACKNOWLEDGE_ALERT = BodyOperation(
    "post",
    "/api/sms/alerts/{alertId}/acknowledge",
    "acknowledgeAlert",
    TAG,
    "Acknowledge an alert",
    "The first acknowledgement is kept, so repeating the request is safe. It does not resolve the alert.",
    access=calls("AlertService/AcknowledgeAlert"),
    answers={200: Answer("The alert.", Alert, {"seen": _SEEN})},
    problems={404: ["ALERT_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(path_parameter("alertId", "The alert's identifier.", _ID),),
    body=Acknowledgement,
    body_examples={"seen": {"acknowledgedBy": "amina"}},
)
