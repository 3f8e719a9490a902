"""CarrierService over gRPC."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from messaging_service.carriers.control_carriers import CarrierReport, ControlCarriers
from messaging_service.carriers.domain.carrier_control import CarrierControl, CarrierMode
from messaging_service.carriers.domain.carrier_status import BindState
from messaging_service.carriers.domain.circuit_breaker import BreakerState
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import text_problem
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.grpc import list_pages
from service_kit import page_token
from service_kit.audit.actor import actor
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from service_kit.grpc.timestamps import to_timestamp
from tukupay.sms.messaging.v1 import carriers_pb2 as pb
from tukupay.sms.messaging.v1 import carriers_pb2_grpc

MAX_CHANGED_BY = 128
MAX_REASON = 500
_QUESTION = ("carriers",)

KINDS: Mapping[str, pb.CarrierKind.ValueType] = {
    "smpp": pb.CARRIER_KIND_SMPP,
    "africastalking": pb.CARRIER_KIND_AFRICASTALKING,
}
MODES: Mapping[CarrierMode, pb.CarrierMode.ValueType] = {
    CarrierMode.RUNNING: pb.CARRIER_MODE_RUNNING,
    CarrierMode.PAUSED: pb.CARRIER_MODE_PAUSED,
    CarrierMode.DRAINED: pb.CARRIER_MODE_DRAINED,
}
MODE_OF: Mapping[int, CarrierMode] = {value: key for key, value in MODES.items()}
BREAKERS: Mapping[BreakerState, pb.BreakerState.ValueType] = {
    BreakerState.CLOSED: pb.BREAKER_STATE_CLOSED,
    BreakerState.OPEN: pb.BREAKER_STATE_OPEN,
    BreakerState.HALF_OPEN: pb.BREAKER_STATE_HALF_OPEN,
}
BINDS: Mapping[BindState, pb.BindState.ValueType] = {
    BindState.UP: pb.BIND_STATE_UP,
    BindState.CONNECTING: pb.BIND_STATE_CONNECTING,
    BindState.WAITING: pb.BIND_STATE_WAITING,
    BindState.UNLEASED: pb.BIND_STATE_UNLEASED,
    BindState.STOPPED: pb.BIND_STATE_STOPPED,
}


class CarrierServicer(carriers_pb2_grpc.CarrierServiceServicer):
    """Translates between the stubs and the use case."""

    def __init__(self, carriers: ControlCarriers) -> None:
        self._carriers = carriers

    @override
    async def ListCarriers(self, request: pb.ListCarriersRequest, context: Context) -> pb.ListCarriersResponse:
        size = list_pages.page_size(request.page_size)
        after = None
        if request.page_token:
            name, replica = page_token.decode(request.page_token, _QUESTION, 2)
            after = (str(name), str(replica))
        reports, controls = await self._carriers.list()
        wanted = sorted((report for report in reports if after is None or _position(report) > after), key=_position)
        page = wanted[:size]
        return pb.ListCarriersResponse(
            carriers=[_report(report) for report in page],
            controls=[_control(control) for control in controls] if after is None else [],
            next_page_token=page_token.encode(_position(page[-1]), _QUESTION) if len(wanted) > size else "",
        )

    @override
    async def SetCarrierMode(self, request: pb.SetCarrierModeRequest, context: Context) -> pb.SetCarrierModeResponse:
        mode = MODE_OF.get(request.mode)
        violations = []
        if mode is None:
            problem = "is not set; use CARRIER_MODE_RUNNING, CARRIER_MODE_PAUSED or CARRIER_MODE_DRAINED"
            violations.append(Violation("mode", reasons.REQUIRED, problem))
        if not request.carrier:
            violations.append(Violation("carrier", reasons.REQUIRED, "is empty; give the name of a carrier"))
        for field, value, longest in (
            ("changed_by", request.changed_by, MAX_CHANGED_BY),
            ("reason", request.reason, MAX_REASON),
        ):
            if value and (found := text_problem(value, longest)) is not None:
                violations.append(Violation(field, reasons.INVALID_TEXT, found))
        if violations or mode is None:
            raise invalid(violations)
        control = await self._carriers.set_mode(
            request.carrier, mode, request.changed_by, request.reason, actor=actor()
        )
        return pb.SetCarrierModeResponse(control=_control(control))


def _position(report: CarrierReport) -> tuple[str, str]:
    return report.status.carrier.name, report.replica


def _control(control: CarrierControl) -> pb.CarrierControl:
    return pb.CarrierControl(
        carrier=control.carrier,
        mode=MODES[control.mode],
        changed_time=to_timestamp(control.changed_at),
        changed_by=control.changed_by,
        reason=control.reason,
    )


def _report(report: CarrierReport) -> pb.CarrierReport:
    carrier, traffic = report.status.carrier, report.status.traffic
    return pb.CarrierReport(
        name=carrier.name,
        kind=KINDS.get(carrier.kind, pb.CARRIER_KIND_UNSPECIFIED),
        replica=report.replica,
        reported_time=to_timestamp(report.reported_at),
        is_up=carrier.is_up,
        mode=MODES[report.status.mode],
        breaker=BREAKERS[report.status.breaker],
        window=carrier.window,
        in_use=carrier.in_use,
        binds=[
            pb.BindReport(
                number=bind.number,
                state=BINDS[bind.state],
                window=bind.window,
                in_use=bind.in_use,
                last_error=bind.last_error,
            )
            for bind in carrier.binds
        ],
        accepted=traffic.accepted,
        refused=traffic.refused,
        not_taken=traffic.not_taken,
        unknown=traffic.unknown,
        is_sandbox=report.status.is_sandbox,
        codes=[pb.CodeCount(code=code, messages=number) for code, number in traffic.codes],
        remark=carrier.remark,
        balance_micros=None if carrier.balance is None else to_micros(carrier.balance),
    )
