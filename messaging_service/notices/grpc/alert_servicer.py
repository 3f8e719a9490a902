"""AlertService over gRPC."""

from __future__ import annotations

from typing_extensions import override

from messaging_service.notices.grpc.alert_messages import from_alert, from_rule, to_alert_id, to_rule
from messaging_service.notices.manage_alerts import ManageAlerts
from messaging_service.shared.grpc import list_pages
from service_kit.access.caller import caller
from service_kit.audit.actor import actor
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import alerts_pb2 as pb
from tukupay.sms.messaging.v1 import alerts_pb2_grpc


class AlertServicer(alerts_pb2_grpc.AlertServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, alerts: ManageAlerts) -> None:
        self._alerts = alerts

    @override
    async def GetAlertRules(self, request: pb.GetAlertRulesRequest, context: Context) -> pb.GetAlertRulesResponse:
        rules = await self._alerts.rules(request.user_id)
        return pb.GetAlertRulesResponse(rules=[from_rule(rule) for rule in rules.values()])

    @override
    async def SetAlertRules(self, request: pb.SetAlertRulesRequest, context: Context) -> pb.SetAlertRulesResponse:
        rules = [to_rule(f"rules[{place}]", message) for place, message in enumerate(request.rules)]
        now = await self._alerts.set_rules(request.user_id, rules)
        return pb.SetAlertRulesResponse(rules=[from_rule(rule) for rule in now.values()])

    @override
    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Context) -> pb.ListAlertsResponse:
        size = list_pages.page_size(request.page_size)
        question = (request.user_id, int(request.only_open))
        after = list_pages.after(request.page_token, question)
        found = await self._alerts.alerts(request.user_id, size + 1, after, only_open=request.only_open)
        page, token = list_pages.page_of(found, size, question, lambda row: (row.raised_at, row.id))
        return pb.ListAlertsResponse(alerts=[from_alert(alert) for alert in page], next_page_token=token)

    @override
    async def AcknowledgeAlert(
        self, request: pb.AcknowledgeAlertRequest, context: Context
    ) -> pb.AcknowledgeAlertResponse:
        alert_id = to_alert_id(request.alert_id)
        alert = await self._alerts.acknowledge(alert_id, caller().accounts, request.acknowledged_by, actor=actor())
        return pb.AcknowledgeAlertResponse(alert=from_alert(alert))
