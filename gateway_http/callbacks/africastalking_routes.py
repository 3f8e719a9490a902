"""The routes that Africa's Talking posts to: delivery reports, opt-outs, and messages from phones.

They are for the carrier and not for apps, so the OpenAPI document leaves them out. A post is answered 200 once it
is stored, 400 when it can never be, and 503 when the carrier should bring it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from grpc import aio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.callbacks.callback_gate import PREFIX, CallbackGate
from gateway_http.callbacks.form_body import read_form
from gateway_http.shared import reasons
from gateway_http.shared.problem import DEFAULT_RETRY_AFTER_S, ProblemError, invalid_fields, no_such_route
from gateway_http.shared.upstream import Call, problem_of
from service_kit.errors import Violation
from service_kit.request_id import to_metadata
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.carrier_callbacks_pb2_grpc import CarrierCallbackServiceAsyncStub

log = structlog.get_logger()

_BASE = f"{PREFIX}africastalking/{{secret}}"
REPORTS = f"{_BASE}/delivery-reports"
OPT_OUTS = f"{_BASE}/opt-outs"
INBOUND = f"{_BASE}/inbound"

_CALL = Call("messaging", "the carrier may repeat it safely")
_TIMEOUT_S = 10.0
_POST = "POST"
# All of them, so that a wrong secret is answered alike whatever the method.
_METHODS = ("GET", "HEAD", _POST, "PUT", "PATCH", "DELETE", "OPTIONS")

Fields = Mapping[str, str]
Take = Callable[[str, Fields], Awaitable[Any]]


class CallbackRoute(Route):
    """A path for carriers, behind the gate of secrets in paths; what it calls, the gateway calls as itself."""


class AfricasTalkingRoutes:
    """Hands posts to the messaging service, in the name of the carrier whose secret is in the path."""

    def __init__(self, callbacks: CarrierCallbackServiceAsyncStub, gate: CallbackGate) -> None:
        self._callbacks = callbacks
        self._gate = gate

    def routes(self) -> list[CallbackRoute]:
        """The routes to mount; none while no secret is set."""
        if not self._gate.is_open:
            return []
        return [
            CallbackRoute(REPORTS, self.report, methods=_METHODS),
            CallbackRoute(OPT_OUTS, self.opt_out, methods=_METHODS),
            CallbackRoute(INBOUND, self.inbound, methods=_METHODS),
        ]

    async def report(self, request: Request) -> Response:
        """Stores a delivery report."""
        return await self._take(request, ("id", "status"), self._report)

    async def opt_out(self, request: Request) -> Response:
        """Stores an opt-out."""
        return await self._take(request, ("phoneNumber", "senderId"), self._opt_out)

    async def inbound(self, request: Request) -> Response:
        """Stores a message from a phone."""
        return await self._take(request, ("from", "to"), self._inbound)

    async def _take(self, request: Request, required: tuple[str, ...], take: Take) -> Response:
        carrier = self._admitted(request)
        fields = await read_form(request.receive, request.scope["headers"])
        missing = [Violation(name, reasons.REQUIRED, "is missing") for name in required if not fields.get(name)]
        if missing:
            raise invalid_fields(missing)
        try:
            await take(carrier, fields)
        except aio.AioRpcError as error:
            raise _not_stored(error, carrier) from error
        return Response(status_code=200)

    def _admitted(self, request: Request) -> str:
        carrier = self._gate.carrier_of(request.path_params["secret"])
        if carrier is None:
            raise no_such_route()
        if not self._gate.lets_in(request.scope):
            # Only callers that know the secret get here, so no one else can fill the log.
            address = self._gate.address_of(request.scope)
            log.warning(
                "callbacks.address_refused",
                carrier=carrier,
                address=str(address),
                remedy="add it to GATEWAY_AFRICASTALKING_ALLOW when it is the carrier's, or change the secret",
            )
            raise no_such_route()
        if request.method != _POST:
            raise HTTPException(405, headers={"Allow": _POST})
        return carrier

    async def _report(self, carrier: str, fields: Fields) -> None:
        retries = fields.get("retryCount", "")
        report = pb.IngestDeliveryReportRequest(
            carrier=carrier,
            carrier_message_id=fields["id"],
            status=fields["status"],
            phone_number=fields.get("phoneNumber", ""),
            network_code=fields.get("networkCode", ""),
            failure_reason=fields.get("failureReason", ""),
            retry_count=int(retries) if retries.isascii() and retries.isdigit() and len(retries) < 7 else None,
        )
        await self._callbacks.IngestDeliveryReport(report, timeout=_TIMEOUT_S, metadata=to_metadata())

    async def _opt_out(self, carrier: str, fields: Fields) -> None:
        opt_out = pb.IngestOptOutRequest(
            carrier=carrier, phone_number=fields["phoneNumber"], sender_id=fields["senderId"]
        )
        await self._callbacks.IngestOptOut(opt_out, timeout=_TIMEOUT_S, metadata=to_metadata())

    async def _inbound(self, carrier: str, fields: Fields) -> None:
        message = pb.IngestInboundMessageRequest(
            carrier=carrier, phone_number=fields["from"], sender_id=fields["to"], text=fields.get("text", "")
        )
        await self._callbacks.IngestInboundMessage(message, timeout=_TIMEOUT_S, metadata=to_metadata())


def _not_stored(error: aio.AioRpcError, carrier: str) -> ProblemError:
    """400 for what can never be stored; for all else 503, so that the carrier posts it again."""
    problem = problem_of(error, _CALL)
    if problem.http_status == 400:
        return problem
    log.warning("callbacks.not_stored", carrier=carrier, reason=problem.reason)
    return ProblemError(
        reasons.MESSAGING_UNAVAILABLE,
        "it was not stored; bring it again",
        headers={"Retry-After": str(DEFAULT_RETRY_AFTER_S)},
    )
