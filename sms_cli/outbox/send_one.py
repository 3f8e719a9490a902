"""The call that sends one SMS, and its outbox entry as JSON and in words."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.duration_pb2 import Duration

from service_kit.grpc.timestamps import to_timestamp
from service_kit.settings import Address
from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.service_calls import messaging_stub
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceStub

_OUTCOME_WAIT_S = 10

PRIORITIES = {"normal": pb.PRIORITY_NORMAL, "high": pb.PRIORITY_HIGH}


async def send_sms(
    messaging: Address,
    *,
    recipient: str,
    text: str,
    user: str,
    sender: str,
    priority: pb.Priority.ValueType,
    at: datetime | None,
    expires: datetime | None,
    message_id: str | None,
) -> pb.OutboxEntry:
    """Sends an SMS and gives its entry after the carrier's answer, or after 10 s without one."""
    request = pb.SendSmsRequest(
        user_id=user,
        recipient_phone_number=recipient,
        message=text,
        sender_id=sender,
        message_id=message_id,
        scheduled_time=to_timestamp(at) if at else None,
        expires_time=to_timestamp(expires) if expires else None,
        priority=priority,
        outcome_wait=Duration(seconds=_OUTCOME_WAIT_S),
    )
    async with messaging_stub(messaging, MessagingServiceStub) as stub:
        answer = await stub.SendSms(request)
    return answer.entry


def entry_record(entry: pb.OutboxEntry) -> dict[str, object]:
    """The entry as JSON, without what was not set; prices are text, to stay exact."""
    record: dict[str, object] = {
        "outboxId": entry.outbox_id,
        "userId": entry.user_id,
        "recipientPhoneNumber": entry.recipient_phone_number,
        "senderId": entry.sender_id,
        "messageId": entry.message_id,
        "status": enum_word(pb.SmsStatus, entry.status),
        "deliveryState": enum_word(pb.DeliveryState, entry.delivery_state),
        "smsUnitsUsed": entry.sms_units_used,
        "encoding": enum_word(pb.Encoding, entry.encoding),
        "costPerUnit": kes(entry.unit_price_micros),
        "totalCost": kes(entry.total_cost_micros),
        "billing": enum_word(pb.BillingState, entry.billing_state),
        "held": kes(entry.billing.held_micros),
        "charged": kes(entry.billing.charged_micros),
        "refunded": kes(entry.billing.refunded_micros),
        "retryCount": entry.retry_count,
    }
    if entry.mode == access_pb2.ACCESS_MODE_TEST:
        record["mode"] = "test"
    if entry.carrier:
        record["carrier"] = entry.carrier
    if entry.error_code:
        resend = enum_word(pb.ResendAdvice, entry.resend_advice)
        record |= {"errorCode": entry.error_code, "errorDetails": entry.error_details, "resendable": resend}
    if entry.carrier_error_code:
        record["carrierErrorCode"] = entry.carrier_error_code
    times = {
        "createdAt": ("created_time", entry.created_time),
        "scheduledFor": ("scheduled_time", entry.scheduled_time),
        "expiresAt": ("expires_time", entry.expires_time),
        "lastAttemptAt": ("last_attempt_time", entry.last_attempt_time),
        "sentAt": ("sent_time", entry.sent_time),
        "deliveredAt": ("delivered_time", entry.delivered_time),
    }
    present = {field.name for field, _ in entry.ListFields()}
    return record | {name: shown(time) for name, (field, time) in times.items() if field in present}


def has_failed(entry: pb.OutboxEntry) -> bool:
    """Whether the SMS did not arrive and will not."""
    return entry.status == pb.SMS_STATUS_FAILED


def advice(entry: pb.OutboxEntry) -> str:
    """The outcome and what to do next, in one sentence."""
    phone = f"`tukupay-sms phone {entry.recipient_phone_number}` shows what a sandbox phone received"
    match entry.status:
        case pb.SMS_STATUS_SENT:
            return f"The carrier accepted it; {phone}."
        case pb.SMS_STATUS_FAILED:
            charged = (
                entry.billing_state == pb.BILLING_STATE_CHARGED
                or entry.billing.charged_micros > entry.billing.refunded_micros
            )
            money = "was charged, as the carrier had accepted it" if charged else "costs nothing"
            return f"It did not arrive and {money}; errorDetails says why."
        case _ if entry.delivery_state == pb.DELIVERY_STATE_SCHEDULED:
            return "It waits for its time; its price is frozen."
        case _:
            return f"It is recorded and under way, so do not send it again; {phone}."
