"""Outbox entries as REST shows them, field for field, and the fields that answers about them share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway_http.shared.rest_instants import instant
from gateway_http.shared.rest_money import number
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import messaging_pb2

Status = Literal["pending", "sent", "failed"]
State = Literal[
    "scheduled",
    "ready",
    "submitting",
    "accepted",
    "delivered",
    "refused",
    "undelivered",
    "unknown",
    "expired",
    "cancelled",
]

STATUSES: dict[Status, messaging_pb2.SmsStatus.ValueType] = {
    "pending": messaging_pb2.SMS_STATUS_PENDING,
    "sent": messaging_pb2.SMS_STATUS_SENT,
    "failed": messaging_pb2.SMS_STATUS_FAILED,
}
STATUS_NAMES: dict[int, Status] = {value: name for name, value in STATUSES.items()}
STATE_NAMES: dict[int, State] = {
    messaging_pb2.DELIVERY_STATE_SCHEDULED: "scheduled",
    messaging_pb2.DELIVERY_STATE_READY: "ready",
    messaging_pb2.DELIVERY_STATE_SUBMITTING: "submitting",
    messaging_pb2.DELIVERY_STATE_ACCEPTED: "accepted",
    messaging_pb2.DELIVERY_STATE_DELIVERED: "delivered",
    messaging_pb2.DELIVERY_STATE_REFUSED: "refused",
    messaging_pb2.DELIVERY_STATE_UNDELIVERED: "undelivered",
    messaging_pb2.DELIVERY_STATE_UNKNOWN: "unknown",
    messaging_pb2.DELIVERY_STATE_EXPIRED: "expired",
    messaging_pb2.DELIVERY_STATE_CANCELLED: "cancelled",
}

BillingState = Literal["held", "charged", "released", "refunded"]
_BILLING_STATES: dict[int, BillingState] = {
    messaging_pb2.BILLING_STATE_HELD: "held",
    messaging_pb2.BILLING_STATE_CHARGED: "charged",
    messaging_pb2.BILLING_STATE_RELEASED: "released",
    messaging_pb2.BILLING_STATE_REFUNDED: "refunded",
}

Mode = Literal["test"]
MODE_NAMES: dict[int, Mode] = {access_pb2.ACCESS_MODE_TEST: "test"}

Resendable = Literal["now", "later", "never"]
RESENDABLE: dict[int, Resendable] = {
    messaging_pb2.RESEND_ADVICE_NOW: "now",
    messaging_pb2.RESEND_ADVICE_LATER: "later",
    messaging_pb2.RESEND_ADVICE_NEVER: "never",
}

_Instant = Annotated[datetime, Meta(tz=True)]


class Timestamps(msgspec.Struct, frozen=True, rename="camel"):
    """The times of an entry, in UTC."""

    created_at: Annotated[datetime, Meta(tz=True, description="When the SMS was logged in the outbox.")]
    sent_at: Annotated[_Instant | None, Meta(description="When the carrier accepted it; null until then.")]
    last_attempt_at: Annotated[
        _Instant | None,
        Meta(description="When the most recent attempt began, the first included; null before it."),
    ]


OutboxIdField = Annotated[str, Meta(description="Unique identifier of the entry.")]
StatusField = Annotated[
    Status,
    Meta(
        description="sent: the carrier accepted it. failed: it was refused, expired, cancelled or reported "
        "undeliverable. pending: it is scheduled, queued, or its outcome is open."
    ),
]
StateField = Annotated[State, Meta(description="The exact state behind `status`.")]
RetryCountField = Annotated[int, Meta(ge=0, description="Resends so far.")]
ErrorDetailsField = Annotated[str | UnsetType, Meta(description="Why it failed or waits, and what to do; only then.")]
ErrorCodeField = Annotated[str | UnsetType, Meta(description="Stable code of the failure; only after a failure.")]
ErrorAdviceField = Annotated[
    str | UnsetType, Meta(description="What to do about the failure, the last part of `errorDetails`.")
]
ResendableField = Annotated[
    Resendable | UnsetType,
    Meta(
        description="Whether a resend makes sense: `now`, `later` (after time has passed, or what `errorAdvice` asks "
        "for is done), or `never`; only after a failure."
    ),
]
CarrierErrorCodeField = Annotated[
    str | UnsetType, Meta(description="The carrier's own error code in its delivery report; absent when it gave none.")
]
DeliveredAtField = Annotated[
    _Instant | UnsetType, Meta(description="When the carrier's delivery report was recorded; absent until then.")
]
ExpiresAtField = Annotated[
    _Instant | UnsetType, Meta(description="Until when it is wanted; absent when you gave no `expiresAt`.")
]
_Amount = {"type": "number", "minimum": 0, "examples": [0.6]}
CostPerUnitField = Annotated[
    Raw,
    Meta(
        description="KES for one unit, fixed when the SMS was accepted: a resend is charged at the same price, "
        "whatever the price is by then.",
        extra_json_schema=_Amount,
    ),
]
TotalCostField = Annotated[
    Raw,
    Meta(
        description="Units × cost per unit in KES, exact: the price of one attempt. `billing` says what was charged.",
        extra_json_schema=_Amount,
    ),
]


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """What the SMS cost so far, in KES, exact."""

    state: Annotated[
        BillingState,
        Meta(
            description="The money of the latest attempt. held: reserved until its outcome is known. charged: a "
            "carrier took it. released: given back because none did. refunded: charged, and paid back."
        ),
    ]
    held: Annotated[Raw, Meta(description="Reserved for the latest attempt.", extra_json_schema=_Amount)]
    charged: Annotated[
        Raw, Meta(description="Charged for all attempts that a carrier took.", extra_json_schema=_Amount)
    ]
    refunded: Annotated[Raw, Meta(description="How much of these charges was paid back.", extra_json_schema=_Amount)]

    @classmethod
    def of(cls, entry: messaging_pb2.OutboxEntry) -> Billing | UnsetType:
        """The money of an entry; UNSET from a messaging service of a release that did not tell it."""
        if not entry.HasField("billing"):
            return UNSET
        return cls(
            state=_BILLING_STATES[entry.billing_state],
            held=number(entry.billing.held_micros),
            charged=number(entry.billing.charged_micros),
            refunded=number(entry.billing.refunded_micros),
        )


BillingField = Annotated[
    Billing | UnsetType,
    Meta(
        description="What was held, charged and refunded. Over all SMS of an account, `charged` less `refunded` "
        "equals what its statements show for them."
    ),
]


ModeField = Annotated[
    Mode | UnsetType,
    Meta(
        description="`test` for an SMS sent with a test key: it goes to a sandbox carrier, reaches no phone and "
        "costs nothing. Absent for all others."
    ),
]


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One SMS in the outbox."""

    outbox_id: OutboxIdField
    user_id: Annotated[str, Meta(description="The account that sent and pays.")]
    recipient_phone_number: Annotated[
        str,
        Meta(
            description="The recipient in E.164; its middle is hidden without the scope `pii:read`. Empty once "
            "the phone was erased."
        ),
    ]
    message: Annotated[str, Meta(description="The text; empty once it was erased.")]
    sender_id: Annotated[str, Meta(description="The sender that the phone shows.")]
    message_id: Annotated[str, Meta(description="Your identifier, or the one made when you gave none.")]
    sms_units_used: Annotated[int, Meta(ge=1, description="Units charged for the text.")]
    cost_per_unit: CostPerUnitField
    total_cost: TotalCostField
    status: StatusField
    timestamps: Timestamps
    retry_count: RetryCountField
    error_details: ErrorDetailsField = UNSET
    error_code: ErrorCodeField = UNSET
    error_advice: ErrorAdviceField = UNSET
    resendable: ResendableField = UNSET
    carrier_error_code: CarrierErrorCodeField = UNSET
    tags: Annotated[Sequence[str], Meta(description="Your tags, in their order.")]
    custom_data: Annotated[
        Raw | UnsetType,
        Meta(description="Your metadata; absent when you gave none.", extra_json_schema={"type": "object"}),
    ] = UNSET
    delivery_state: StateField
    delivered_at: DeliveredAtField = UNSET
    expires_at: ExpiresAtField = UNSET
    billing: BillingField = UNSET
    text_erased: Annotated[
        bool | UnsetType,
        Meta(
            description="true once the text and your metadata are gone for good: retention is over, or the phone "
            "was erased. Absent otherwise."
        ),
    ] = UNSET
    mode: ModeField = UNSET

    @classmethod
    def of(cls, entry: messaging_pb2.OutboxEntry) -> OutboxEntry:
        """The entry of the messaging service as REST shows it."""
        return cls(
            outbox_id=entry.outbox_id,
            user_id=entry.user_id,
            recipient_phone_number=entry.recipient_phone_number,
            message=entry.message,
            sender_id=entry.sender_id,
            message_id=entry.message_id,
            sms_units_used=entry.sms_units_used,
            cost_per_unit=number(entry.unit_price_micros),
            total_cost=number(entry.total_cost_micros),
            status=STATUS_NAMES[entry.status],
            timestamps=timestamps_of(entry),
            retry_count=entry.retry_count,
            error_details=entry.error_details if entry.HasField("error_details") else UNSET,
            error_code=entry.error_code if entry.HasField("error_code") else UNSET,
            error_advice=entry.error_advice if entry.HasField("error_advice") else UNSET,
            resendable=RESENDABLE.get(entry.resend_advice, UNSET),
            carrier_error_code=entry.carrier_error_code if entry.HasField("carrier_error_code") else UNSET,
            tags=list(entry.tags),
            custom_data=Raw(entry.custom_data_json.encode()) if entry.HasField("custom_data_json") else UNSET,
            delivery_state=STATE_NAMES[entry.delivery_state],
            delivered_at=instant(entry.delivered_time) if entry.HasField("delivered_time") else UNSET,
            expires_at=instant(entry.expires_time) if entry.HasField("expires_time") else UNSET,
            billing=Billing.of(entry),
            text_erased=True if entry.text_erased else UNSET,
            mode=MODE_NAMES.get(entry.mode, UNSET),
        )


def timestamps_of(entry: messaging_pb2.OutboxEntry) -> Timestamps:
    """The times of an entry of the messaging service."""
    return Timestamps(
        created_at=instant(entry.created_time),
        sent_at=instant(entry.sent_time) if entry.HasField("sent_time") else None,
        last_attempt_at=instant(entry.last_attempt_time) if entry.HasField("last_attempt_time") else None,
    )


OutcomeField = Annotated[
    Literal["success", "failed"],
    Meta(description="failed: the SMS is recorded, and failed. success: it was sent, or is on its way."),
]
MessageField = Annotated[str, Meta(description="The outcome in a sentence.")]
