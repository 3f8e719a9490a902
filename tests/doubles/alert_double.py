"""Alerts that answer as a test tells them, over real gRPC."""

from __future__ import annotations

from typing import Any

from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import Scripted, at
from tukupay.sms.messaging.v1 import alerts_pb2 as pb
from tukupay.sms.messaging.v1 import alerts_pb2_grpc

ALERT_ID = "alert_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"


def rule(**fields: Any) -> pb.AlertRule:
    known: dict[str, Any] = {
        "enabled": True,
        "balance_low": pb.BalanceLow(threshold_micros=100_500_000, margin_micros=10_000_000),
    }
    return pb.AlertRule(**(known | fields))


def alert(**fields: Any) -> pb.Alert:
    known: dict[str, Any] = {
        "alert_id": ALERT_ID,
        "user_id": "user123",
        "kind": pb.ALERT_KIND_BALANCE_LOW,
        "subject": "user123",
        "value_micros": 99_400_000,
        "threshold_micros": 100_500_000,
        "raised_time": at("2024-12-15T08:00:00Z"),
        "delivered_deliveries": 1,
    }
    return pb.Alert(**(known | fields))


class AlertDouble(Scripted, alerts_pb2_grpc.AlertServiceServicer):
    """Sets every rule, and knows one alert."""

    async def GetAlertRules(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer("GetAlertRules", request, context, pb.GetAlertRulesResponse(rules=[rule()]))

    async def SetAlertRules(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = pb.SetAlertRulesResponse(rules=request.rules)
        return await self._answer("SetAlertRules", request, context, answer)

    async def ListAlerts(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer("ListAlerts", request, context, pb.ListAlertsResponse(alerts=[alert()]))

    async def AcknowledgeAlert(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.alert_id != ALERT_ID:
            self.requests.append(request)
            raise ServiceError(Kind.NOT_FOUND, "ALERT_NOT_FOUND", "there is no alert with that id")
        seen = alert(acknowledged_time=at("2024-12-15T08:05:00Z"), acknowledged_by=request.acknowledged_by)
        return await self._answer("AcknowledgeAlert", request, context, pb.AcknowledgeAlertResponse(alert=seen))
