"""Generated messages from and to domain objects."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.prices.quote_sms import Quote, QuoteDraft
from messaging_service.sending.domain.validation import SendDraft
from messaging_service.shared.domain.encoding import Encoding
from messaging_service.shared.domain.failures import Failure, Resend, failure_of
from messaging_service.shared.domain.message import Message, outbox_id
from messaging_service.shared.domain.money import PriceLevel, to_micros
from messaging_service.shared.domain.states import Billing, Priority, State, Status
from messaging_service.texts.gsm7_advice import Gsm7Advice
from service_kit.errors import ServiceError, Violation, invalid
from service_kit.grpc.grpc_errors import CODES
from service_kit.grpc.timestamps import to_datetime, to_timestamp
from tukupay.sms.messaging.v1 import billing_pb2, channels_pb2, reports_pb2, webhooks_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_WAIT = timedelta(seconds=60)

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
PRIORITIES: Mapping[Priority, pb.Priority.ValueType] = {
    Priority.NORMAL: pb.PRIORITY_NORMAL,
    Priority.HIGH: pb.PRIORITY_HIGH,
}
ENCODINGS: Mapping[Encoding, pb.Encoding.ValueType] = {
    Encoding.GSM7: pb.ENCODING_GSM7,
    Encoding.UCS2: pb.ENCODING_UCS2,
}
LEVELS: Mapping[PriceLevel, pb.PriceLevel.ValueType] = {
    PriceLevel.TUKUPAY: pb.PRICE_LEVEL_TUKUPAY,
    PriceLevel.APP_OWNER: pb.PRICE_LEVEL_APP_OWNER,
    PriceLevel.SPECIFIC_CUSTOMER: pb.PRICE_LEVEL_SPECIFIC_CUSTOMER,
    PriceLevel.DIRECT_CUSTOMER: pb.PRICE_LEVEL_DIRECT_CUSTOMER,
}
RESENDS: Mapping[Resend, pb.ResendAdvice.ValueType] = {
    Resend.NOW: pb.RESEND_ADVICE_NOW,
    Resend.LATER: pb.RESEND_ADVICE_LATER,
    Resend.NEVER: pb.RESEND_ADVICE_NEVER,
}
PRIORITY_OF: Mapping[int, Priority] = {
    pb.PRIORITY_UNSPECIFIED: Priority.NORMAL,
    **{value: key for key, value in PRIORITIES.items()},
}
STATUS_OF: Mapping[int, Status | None] = {
    pb.SMS_STATUS_UNSPECIFIED: None,
    **{value: key for key, value in STATUSES.items()},
}


def to_instant(field: str, stamp: Timestamp) -> datetime:
    """A Timestamp as an aware UTC datetime. Raises ServiceError INVALID naming the field when out of range."""
    try:
        return to_datetime(stamp)
    except ValueError:
        problem = "is outside the years 1 to 9999, or its nanoseconds are not 0 to 999,999,999"
        raise invalid([Violation(field, "INVALID_TIMESTAMP", problem)]) from None


def to_period(
    request: reports_pb2.RehearseCostsRequest
    | reports_pb2.AuditCostsRequest
    | billing_pb2.ListLedgerEntriesRequest
    | billing_pb2.GetStatementRequest
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
        raise invalid([Violation(name, "REQUIRED", "is required: say which period is meant") for name in missing])
    return to_instant("period_start", request.period_start), to_instant("period_end", request.period_end)


def to_wait_s(duration: Duration | None, default_s: float) -> float:
    """The longest wait in seconds. Raises ServiceError INVALID when it is not 0 to 60 s."""
    if duration is None:
        return default_s
    seconds = duration.seconds + duration.nanos / 1_000_000_000
    if not 0 <= seconds <= MAX_WAIT.total_seconds():
        raise invalid([Violation("outcome_wait", "OUT_OF_RANGE", "is not between 0 and 60 s")])
    return seconds


def to_draft(request: pb.SendSmsRequest) -> SendDraft:
    """A request to send, checked only for what the domain has no words for."""
    priority = PRIORITY_OF.get(request.priority)
    if priority is None:
        problem = f"has the unknown value {request.priority}; use PRIORITY_NORMAL or PRIORITY_HIGH"
        raise invalid([Violation("priority", "UNKNOWN_PRIORITY", problem)])
    scheduled = to_instant("scheduled_time", request.scheduled_time) if request.HasField("scheduled_time") else None
    expires = to_instant("expires_time", request.expires_time) if request.HasField("expires_time") else None
    return SendDraft(
        user_id=request.user_id,
        recipient_phone_number=request.recipient_phone_number,
        message=request.message,
        sender_id=request.sender_id,
        message_name=request.message_name if request.HasField("message_name") else None,
        message_id=request.message_id if request.HasField("message_id") else None,
        scheduled_time=scheduled,
        expires_time=expires,
        priority=priority,
        tags=tuple(request.tags),
        custom_data_json=request.custom_data_json if request.HasField("custom_data_json") else None,
        app_id=request.app_id if request.HasField("app_id") else None,
    )


def to_quote_draft(request: pb.QuoteSmsRequest) -> QuoteDraft:
    """A request to quote, checked only for what the domain has no words for."""
    scheduled = to_instant("scheduled_time", request.scheduled_time) if request.HasField("scheduled_time") else None
    return QuoteDraft(
        user_id=request.user_id,
        message=request.message,
        scheduled_time=scheduled,
        app_id=request.app_id if request.HasField("app_id") else None,
        recipient_phone_number=request.recipient_phone_number if request.HasField("recipient_phone_number") else None,
        sender_id=request.sender_id if request.HasField("sender_id") else None,
    )


def from_instant(instant: datetime) -> Timestamp:
    """The wire form of an aware datetime."""
    return to_timestamp(instant)


def _stamp(instant: datetime | None) -> Timestamp | None:
    return None if instant is None else from_instant(instant)


def from_message(message: Message) -> pb.OutboxEntry:
    """The public form of a message."""
    failure = None if message.error_code is None else failure_of(message.error_code)
    return pb.OutboxEntry(
        outbox_id=outbox_id(message.id),
        user_id=message.account_id,
        recipient_phone_number=message.recipient,
        message=message.text,
        sender_id=message.sender_id,
        message_id=message.client_message_id,
        message_name=message.message_name,
        sms_units_used=message.units,
        unit_price_micros=to_micros(message.price.unit_price),
        total_cost_micros=to_micros(message.total),
        status=STATUSES[message.status],
        delivery_state=STATES[message.state],
        created_time=_stamp(message.created_at),
        sent_time=_stamp(message.sent_at),
        last_attempt_time=_stamp(message.last_attempt_at),
        scheduled_time=_stamp(message.scheduled_at),
        delivered_time=_stamp(message.delivered_at),
        retry_count=message.retry_count,
        error_code=message.error_code,
        error_details=None if failure is None else failure.details,
        error_advice=None if failure is None else failure.advice,
        resend_advice=pb.RESEND_ADVICE_UNSPECIFIED if failure is None else RESENDS[failure.resend],
        carrier_error_code=message.carrier_error_code,
        expires_time=_stamp(message.expires_at),
        tags=message.tags,
        custom_data_json=message.custom_data_json,
        priority=PRIORITIES[message.priority],
        encoding=ENCODINGS[message.encoding],
        billing_state=BILLINGS[message.billing],
        app_id=message.app_id,
        price_cost_id=message.price.cost_id,
        price_level=LEVELS[message.price.level],
        carrier=message.carrier,
        priced_time=_stamp(message.priced_at),
        price_known_time=_stamp(message.price_known_at),
        billing=pb.EntryBilling(
            held_micros=to_micros(message.held),
            charged_micros=to_micros(message.charged),
            refunded_micros=to_micros(message.refunded),
        ),
    )


def from_failure(failure: Failure) -> pb.ErrorCode:
    """The public form of an entry of the catalogue."""
    return pb.ErrorCode(
        code=failure.code,
        meaning=failure.meaning,
        advice=failure.advice,
        resend_advice=RESENDS[failure.resend],
    )


def from_quote(quote: Quote) -> pb.QuoteSmsResponse:
    """The public form of a quote."""
    return pb.QuoteSmsResponse(
        encoding=ENCODINGS[quote.segmentation.encoding],
        segments=quote.segmentation.segments,
        unit_price_micros=to_micros(quote.price.unit_price),
        total_cost_micros=to_micros(quote.total),
        price_level=LEVELS[quote.price.level],
        price_cost_id=quote.price.cost_id,
        gsm7_advice=None if quote.advice is None else _from_advice(quote.advice, quote.price.unit_price),
    )


def _from_advice(advice: Gsm7Advice, unit_price: Decimal) -> pb.Gsm7Advice:
    return pb.Gsm7Advice(
        unicode_characters=[
            pb.UnicodeCharacter(
                character=found.character,
                code_point=found.code_point,
                name=found.name,
                count=found.count,
                replacement=found.replacement,
            )
            for found in advice.characters
        ],
        text=advice.text,
        units=advice.units,
        savings_micros=to_micros(advice.savings(unit_price)),
    )


def from_error(error: ServiceError) -> pb.ItemError:
    """The form that an error takes inside a batch."""
    item = pb.ItemError(
        code=CODES[error.kind],
        reason=error.reason,
        message=error.message,
        violations=[
            pb.FieldViolation(field=v.field, reason=v.reason, description=v.description) for v in error.violations
        ],
        metadata=dict(error.metadata),
    )
    if error.retry_after is not None:
        item.retry_delay.FromTimedelta(error.retry_after)
    return item
