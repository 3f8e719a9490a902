"""Entries of the outbox, and the catalogue of their failures, from domain objects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.sending.domain.failures import Failure, Resend, failure_of
from messaging_service.shared.domain.message import Message, outbox_id
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.domain.shown_numbers import shown_number
from messaging_service.shared.domain.states import Priority, Status
from messaging_service.shared.grpc.wire import BILLINGS, ENCODINGS, LEVELS, MODES, STATES, STATUSES, from_instant
from service_kit.access.principal import Principal
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

PRIORITIES: Mapping[Priority, pb.Priority.ValueType] = {
    Priority.NORMAL: pb.PRIORITY_NORMAL,
    Priority.HIGH: pb.PRIORITY_HIGH,
}
RESENDS: Mapping[Resend, pb.ResendAdvice.ValueType] = {
    Resend.NOW: pb.RESEND_ADVICE_NOW,
    Resend.LATER: pb.RESEND_ADVICE_LATER,
    Resend.NEVER: pb.RESEND_ADVICE_NEVER,
}
STATUS_OF: Mapping[int, Status | None] = {
    pb.SMS_STATUS_UNSPECIFIED: None,
    **{value: key for key, value in STATUSES.items()},
}


def _stamp(instant: datetime | None) -> Timestamp | None:
    return None if instant is None else from_instant(instant)


def from_message(message: Message, viewer: Principal) -> pb.OutboxEntry:
    """The public form of a message, for a caller."""
    failure = None if message.error_code is None else failure_of(message.error_code)
    return pb.OutboxEntry(
        outbox_id=outbox_id(message.id),
        user_id=message.account_id,
        recipient_phone_number=shown_number(message.recipient, viewer),
        message=message.text,
        text_erased=message.is_text_erased,
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
        mode=MODES[message.mode],
    )


def from_failure(failure: Failure) -> pb.ErrorCode:
    """The public form of an entry of the catalogue."""
    return pb.ErrorCode(
        code=failure.code,
        meaning=failure.meaning,
        advice=failure.advice,
        resend_advice=RESENDS[failure.resend],
    )
