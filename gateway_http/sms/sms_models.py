"""A request to send, and its answer, as REST takes and gives them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from google.protobuf.duration_pb2 import Duration
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway_http.shared import reasons
from gateway_http.shared.outbox_entry import MessageField, OutboxEntry, OutcomeField
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import timestamp
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import messaging_pb2

_PRIORITIES: dict[str | None, messaging_pb2.Priority.ValueType] = {
    None: messaging_pb2.PRIORITY_UNSPECIFIED,
    "normal": messaging_pb2.PRIORITY_NORMAL,
    "high": messaging_pb2.PRIORITY_HIGH,
}
_ABSENT = b"null"


class NewSms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One SMS to send. `null` for an optional field is the same as leaving it out."""

    user_id: Annotated[
        str,
        Meta(
            description="The account that sends and pays.",
            extra_json_schema={"minLength": 1, "maxLength": 64},
        ),
    ]
    recipient_phone_number: Annotated[
        str,
        Meta(description="The recipient in E.164.", extra_json_schema={"examples": ["+254712345678"]}),
    ]
    message: Annotated[
        str,
        Meta(
            description="The text, at most 10 units: 160 GSM-7 characters in one unit (153 in each of several), "
            "or 70 (67) with any other character.",
            extra_json_schema={"minLength": 1},
        ),
    ]
    sender_id: Annotated[
        str,
        Meta(
            description="What the phone shows as sender: 1 to 11 letters, digits, inner spaces and `-_.&'` with a "
            "letter among them, or 3 to 15 digits; an international number of 7 digits or more may have a `+`.",
            extra_json_schema={"minLength": 1, "maxLength": 16},
        ),
    ]
    message_name: Annotated[
        str | None,
        Meta(
            description="Your name for this kind of message.",
            extra_json_schema={"minLength": 1, "maxLength": 100},
        ),
    ] = None
    message_id: Annotated[
        str | None,
        Meta(
            description="Idempotency key, unique for the `userId`. The same request again answers with the stored "
            "entry, and neither sends nor charges. Without one, a repetition is a new message.",
            extra_json_schema={"minLength": 1, "maxLength": 128},
        ),
    ] = None
    schedule_timestamp: Annotated[
        str | None,
        Meta(
            description="When to send, with its offset, at most 365 days ahead; past or absent means at once. Kept "
            "to the microsecond.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = None
    expires_at: Annotated[
        str | None,
        Meta(
            description="Until when it is wanted, with its offset: from then on it is not sent any more and fails with "
            "`VALIDITY_OVER`. Must lie ahead and after `scheduleTimestamp`, at most 7 days after it is due.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = None
    priority: Annotated[
        Literal["normal", "high"] | None, Meta(description="The lane it takes; `normal` unless given.")
    ] = None
    tags: Annotated[
        list[str] | None,
        Meta(
            description="At most 20 tags of 1 to 50 characters.",
            extra_json_schema={"maxItems": 20},
        ),
    ] = None
    custom_data: Annotated[
        Raw | UnsetType,
        Meta(
            description="A JSON object of your own, at most 4,096 bytes.",
            extra_json_schema={"type": ["object", "null"]},
        ),
    ] = UNSET

    def to_request(self, outcome_wait: Duration) -> messaging_pb2.SendSmsRequest:
        """The call that sends it; raises ProblemError when a time or customData cannot be read."""
        scheduled = expires = custom_data = None
        if self.schedule_timestamp is not None:
            scheduled = timestamp(self.schedule_timestamp, "scheduleTimestamp")
        if self.expires_at is not None:
            expires = timestamp(self.expires_at, "expiresAt")
        if self.custom_data is not UNSET:
            custom_data = _object_text(bytes(self.custom_data))
        if isinstance(scheduled, Violation) or isinstance(expires, Violation) or isinstance(custom_data, Violation):
            raise invalid_fields([v for v in (scheduled, expires, custom_data) if isinstance(v, Violation)])
        return messaging_pb2.SendSmsRequest(
            user_id=self.user_id,
            recipient_phone_number=self.recipient_phone_number,
            message=self.message,
            sender_id=self.sender_id,
            message_name=self.message_name,
            message_id=self.message_id,
            scheduled_time=scheduled,
            expires_time=expires,
            priority=_PRIORITIES[self.priority],
            tags=self.tags,
            custom_data_json=custom_data,
            outcome_wait=outcome_wait,
        )


def _object_text(raw: bytes) -> str | Violation | None:
    """The text of a JSON object as it was given; None for `null`.

    It is passed on untouched, so that large numbers keep their digits; the messaging service checks it.
    """
    if raw == _ABSENT:
        return None
    if not raw.startswith(b"{"):
        return Violation(
            "customData",
            reasons.WRONG_TYPE,
            'is not an object; give something like {"purpose": "Account Verification"}',
        )
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Violation("customData", reasons.INVALID_TEXT, "is not valid UTF-8; encode the body in UTF-8")


class SendSmsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a send."""

    status: OutcomeField
    outbox_entry: OutboxEntry
    message: MessageField
