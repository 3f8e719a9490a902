"""The routes of alerts: their rules, their history, and who has seen them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.alerts.alert_models import Acknowledgement, Alert, AlertRule, AlertRules
from gateway_http.alerts.alert_operations import ACKNOWLEDGE_ALERT, GET_ALERT_RULES, LIST_ALERTS, SET_ALERT_RULES
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.query import flag
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.upstream import Call
from tukupay.sms.messaging.v1 import alerts_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.alerts_pb2_grpc import AlertServiceAsyncStub

_READ = Call("messaging")
_WRITE = Call("messaging", "it may or may not have taken effect: repeating the request is safe")


class AlertRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, alerts: AlertServiceAsyncStub) -> None:
        self._alerts = alerts

    @handles(LIST_ALERTS)
    async def list_alerts(self, request: RestRequest) -> Response:
        """Answers with a bare array, newest first."""
        question = pb.ListAlertsRequest(
            user_id=request.query["userId"],
            only_open=flag(request.query, "onlyOpen"),
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        page = await request.answer(self._alerts.ListAlerts, question, _READ)
        return request.page([Alert.of(alert) for alert in page.alerts], page.next_page_token)

    @handles(GET_ALERT_RULES)
    async def rules(self, request: RestRequest) -> Response:
        """Answers with the rules of every kind."""
        question = pb.GetAlertRulesRequest(user_id=request.query["userId"])
        found = await request.answer(self._alerts.GetAlertRules, question, _READ)
        return json_answer(AlertRules(rules=[AlertRule.of(rule) for rule in found.rules]))

    @handles_body(SET_ALERT_RULES)
    async def set_rules(self, request: RestRequest, rules: AlertRules) -> Response:
        """Sets rules and answers with all that hold."""
        question = rules.to_request(request.query["userId"])
        made = await request.answer(self._alerts.SetAlertRules, question, _WRITE)
        return json_answer(AlertRules(rules=[AlertRule.of(rule) for rule in made.rules]))

    @handles_body(ACKNOWLEDGE_ALERT)
    async def acknowledge(self, request: RestRequest, word: Acknowledgement) -> Response:
        """Records who has seen an alert and answers with it."""
        question = pb.AcknowledgeAlertRequest(alert_id=request.path["alertId"], acknowledged_by=word.acknowledged_by)
        return json_answer(Alert.of((await request.answer(self._alerts.AcknowledgeAlert, question, _WRITE)).alert))
