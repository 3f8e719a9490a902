"""Generated messages from and to domain objects."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.encoding import Encoding
from messaging_service.shared.domain.money import PriceLevel
from messaging_service.shared.domain.states import Billing, State, Status
from service_kit.access.principal import AccessMode
from service_kit.errors import Violation, invalid
from service_kit.grpc.timestamps import to_datetime, to_timestamp
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import accounts_pb2, channels_pb2, reports_pb2, webhooks_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping


STATUSES: Mapping[Status, pb.SmsStatus.ValueType] = {
    Status.PENDING: pb.SMS_STATUS_PENDING,
    Status.SENT: pb.SMS_STATUS_SENT,
    Status.FAILED: pb.SMS_STATUS_FAILED,
}
STATES: Mapping[State, pb.DeliveryState.ValueType] = {
    State.SCHEDULED: pb.DELIVERY_STATE_SCHEDULED,
    State.READY: pb.DELIVERY_STATE_READY,
    State.SUBMITTING: pb.DELIVERY_STATE_SUBMITTING,
    State.ACCEPTED: pb.DELIVERY_STATE_ACCEPTED,
    State.DELIVERED: pb.DELIVERY_STATE_DELIVERED,
    State.REFUSED: pb.DELIVERY_STATE_REFUSED,
    State.UNDELIVERED: pb.DELIVERY_STATE_UNDELIVERED,
    State.UNKNOWN: pb.DELIVERY_STATE_UNKNOWN,
    State.EXPIRED: pb.DELIVERY_STATE_EXPIRED,
    State.CANCELLED: pb.DELIVERY_STATE_CANCELLED,
}
BILLINGS: Mapping[Billing, pb.BillingState.ValueType] = {
    Billing.HELD: pb.BILLING_STATE_HELD,
    Billing.CHARGED: pb.BILLING_STATE_CHARGED,
    Billing.RELEASED: pb.BILLING_STATE_RELEASED,
    Billing.REFUNDED: pb.BILLING_STATE_REFUNDED,
}
ENCODINGS: Mapping[Encoding, pb.Encoding.ValueType] = {
    Encoding.GSM7: pb.ENCODING_GSM7,
    Encoding.UCS2: pb.ENCODING_UCS2,
}
MODES: Mapping[AccessMode, access_pb2.AccessMode.ValueType] = {
    AccessMode.LIVE: access_pb2.ACCESS_MODE_LIVE,
    AccessMode.TEST: access_pb2.ACCESS_MODE_TEST,
}
LEVELS: Mapping[PriceLevel, pb.PriceLevel.ValueType] = {
    PriceLevel.TUKUPAY: pb.PRICE_LEVEL_TUKUPAY,
    PriceLevel.APP_OWNER: pb.PRICE_LEVEL_APP_OWNER,
    PriceLevel.SPECIFIC_CUSTOMER: pb.PRICE_LEVEL_SPECIFIC_CUSTOMER,
    PriceLevel.DIRECT_CUSTOMER: pb.PRICE_LEVEL_DIRECT_CUSTOMER,
}


def to_instant(field: str, stamp: Timestamp) -> datetime:
    """A Timestamp as an aware UTC datetime. Raises ServiceError INVALID naming the field when out of range."""
    try:
        return to_datetime(stamp)
    except ValueError:
        problem = "is outside the years 1 to 9999, or its nanoseconds are not 0 to 999,999,999"
        raise invalid([Violation(field, reasons.INVALID_TIMESTAMP, problem)]) from None


def to_period(
    request: reports_pb2.RehearseCostsRequest
    | reports_pb2.AuditCostsRequest
    | accounts_pb2.ListLedgerEntriesRequest
    | accounts_pb2.GetStatementRequest
    | reports_pb2.ReportCostsRequest
    | reports_pb2.ExportMessagesRequest
    | webhooks_pb2.ReplayWebhookDeliveriesRequest
    | channels_pb2.ReplayChannelDeliveriesRequest
    | reports_pb2.InvoiceScope,
) -> tuple[datetime, datetime]:
    """The first instant of a period and the first after it. Raises ServiceError INVALID naming the field."""
    present = {field.name for field, _ in request.ListFields()}
    missing = [name for name in ("period_start", "period_end") if name not in present]
    if missing:
        raise invalid([Violation(name, reasons.REQUIRED, "is required: say which period is meant") for name in missing])
    return to_instant("period_start", request.period_start), to_instant("period_end", request.period_end)


def from_instant(instant: datetime) -> Timestamp:
    """The wire form of an aware datetime."""
    return to_timestamp(instant)
