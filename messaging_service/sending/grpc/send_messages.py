"""Requests to send to domain objects, and what a batch says of an item."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from messaging_service.sending.domain.validation import SendDraft
from messaging_service.sending.grpc.outbox_messages import PRIORITIES
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.states import Priority
from messaging_service.shared.grpc.wire import to_instant
from service_kit.access.principal import Principal, PrincipalKind
from service_kit.access.refusals import app_of
from service_kit.errors import ServiceError, Violation, invalid
from service_kit.grpc.grpc_errors import CODES
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

MAX_WAIT = timedelta(seconds=60)

PRIORITY_OF: Mapping[int, Priority] = {
    pb.PRIORITY_UNSPECIFIED: Priority.NORMAL,
    **{value: key for key, value in PRIORITIES.items()},
}


def to_wait_s(duration: Duration | None, default_s: float) -> float:
    """The longest wait in seconds. Raises ServiceError INVALID when it is not 0 to 60 s."""
    if duration is None:
        return default_s
    seconds = duration.seconds + duration.nanos / 1_000_000_000
    if not 0 <= seconds <= MAX_WAIT.total_seconds():
        raise invalid([Violation("outcome_wait", reasons.OUT_OF_RANGE, "is not between 0 and 60 s")])
    return seconds


def to_draft(request: pb.SendSmsRequest, sender: Principal) -> SendDraft:
    """A request of a sender, checked only for what the domain has no words for, and for the app it sends through."""
    priority = PRIORITY_OF.get(request.priority)
    if priority is None:
        problem = f"has the unknown value {request.priority}; use PRIORITY_NORMAL or PRIORITY_HIGH"
        raise invalid([Violation("priority", reasons.UNKNOWN_PRIORITY, problem)])
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
        app_id=app_of(sender, request.app_id if request.HasField("app_id") else None),
        mode=sender.mode,
        api_key=key_of(sender),
    )


def key_of(sender: Principal) -> str | None:
    """The API key whose limits count for what a caller sends; None when it shows none."""
    return sender.id if sender.kind is PrincipalKind.API_KEY else None


def from_error(error: ServiceError) -> errors_pb2.ItemError:
    """The form that an error takes inside a batch."""
    item = errors_pb2.ItemError(
        code=CODES[error.kind],
        reason=error.reason,
        message=error.message,
        violations=[
            errors_pb2.FieldViolation(field=v.field, reason=v.reason, description=v.description)
            for v in error.violations
        ],
        metadata=dict(error.metadata),
    )
    if error.retry_after is not None:
        item.retry_delay.FromTimedelta(error.retry_after)
    return item
