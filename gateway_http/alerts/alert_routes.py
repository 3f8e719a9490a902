"""The routes of alerts: their rules, their history, and who has seen them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.alerts.alert_models import Acknowledgement, Alert, AlertRule, AlertRules
from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.query import flag, limit, next_link, parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.upstream import Call, answer_of
from tukupay.sms.messaging.v1 import alerts_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.alerts_pb2_grpc import AlertServiceAsyncStub

ALERTS = "/api/sms/alerts"
RULES = "/api/sms/alerts/rules"
ACKNOWLEDGE = "/api/sms/alerts/{alertId}/acknowledge"
MAX_ALERTS = 500

_READ = Call("messaging")
_WRITE = Call("messaging", "it may or may not have taken effect: repeating the request is safe")
_TIMEOUT_S = 10.0


class AlertRoutes:
    """Speaks to the messaging service."""

    def __init__(self, alerts: AlertServiceAsyncStub) -> None:
        self._alerts = alerts
        self._rules = JsonBody(AlertRules)
        self._acknowledgement = JsonBody(Acknowledgement)

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route(ALERTS, self.list_alerts, methods=["GET"]),
            Route(RULES, self.rules, methods=["GET"]),
            Route(RULES, self.set_rules, methods=["PUT"]),
            Route(ACKNOWLEDGE, self.acknowledge, methods=["POST"]),
        ]

    async def list_alerts(self, request: Request) -> Response:
        """Answers with a bare array, newest first, and a link to the next page when there is one."""
        known = ("userId", "onlyOpen", "limit", "pageToken")
        values = parameters(request.scope["query_string"], known, required=("userId",))
        question = pb.ListAlertsRequest(
            user_id=values["userId"],
            only_open=flag(values, "onlyOpen"),
            page_size=limit(values, MAX_ALERTS),
            page_token=values.get("pageToken", ""),
        )
        call = self._alerts.ListAlerts(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        page = await answer_of(call, _READ)
        token = page.next_page_token
        headers = {"Link": next_link(ALERTS, values, token)} if token else {}
        return json_answer([Alert.of(alert) for alert in page.alerts], headers=headers)

    async def rules(self, request: Request) -> Response:
        """Answers with the rules of every kind."""
        values = parameters(request.scope["query_string"], ("userId",), required=("userId",))
        question = pb.GetAlertRulesRequest(user_id=values["userId"])
        call = self._alerts.GetAlertRules(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        return json_answer(AlertRules(rules=[AlertRule.of(rule) for rule in (await answer_of(call, _READ)).rules]))

    async def set_rules(self, request: Request) -> Response:
        """Sets rules and answers with all that hold."""
        values = parameters(request.scope["query_string"], ("userId",), required=("userId",))
        rules = self._rules.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._alerts.SetAlertRules(
            rules.to_request(values["userId"]), timeout=_TIMEOUT_S, metadata=call_metadata(request)
        )
        return json_answer(AlertRules(rules=[AlertRule.of(rule) for rule in (await answer_of(call, _WRITE)).rules]))

    async def acknowledge(self, request: Request) -> Response:
        """Notes who has seen an alert and answers with it."""
        parameters(request.scope["query_string"], ())
        word = self._acknowledgement.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._alerts.AcknowledgeAlert(
            pb.AcknowledgeAlertRequest(alert_id=request.path_params["alertId"], acknowledged_by=word.acknowledged_by),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        return json_answer(Alert.of((await answer_of(call, _WRITE)).alert))
