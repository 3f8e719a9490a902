"""Requests to the outbox and their answers, as REST takes and gives them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta

from gateway_http.shared.outbox_entry import (
    RESENDABLE,
    STATE_NAMES,
    STATUS_NAMES,
    Billing,
    BillingField,
    CarrierErrorCodeField,
    CostPerUnitField,
    DeliveredAtField,
    ErrorAdviceField,
    ErrorCodeField,
    ErrorDetailsField,
    ExpiresAtField,
    MessageField,
    OutboxIdField,
    OutcomeField,
    Resendable,
    ResendableField,
    RetryCountField,
    StateField,
    StatusField,
    Timestamps,
    TotalCostField,
    timestamps_of,
)
from gateway_http.shared.rest_instants import instant
from gateway_http.shared.rest_money import number
from tukupay.sms.messaging.v1 import messaging_pb2


class OutboxReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which entry to send again."""

    outbox_id: Annotated[str, Meta(description="The entry's identifier.", extra_json_schema={"minLength": 1})]


class NoFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request without fields: send no body, or an empty object."""


class UpdatedOutboxEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What changed about an entry."""

    outbox_id: OutboxIdField
    status: StatusField
    timestamps: Timestamps
    retry_count: RetryCountField
    error_details: ErrorDetailsField = UNSET
    error_code: ErrorCodeField = UNSET
    error_advice: ErrorAdviceField = UNSET
    resendable: ResendableField = UNSET
    carrier_error_code: CarrierErrorCodeField = UNSET
    delivery_state: StateField
    delivered_at: DeliveredAtField = UNSET
    expires_at: ExpiresAtField = UNSET
    cost_per_unit: CostPerUnitField
    total_cost: TotalCostField
    billing: BillingField = UNSET

    @classmethod
    def of(cls, entry: messaging_pb2.OutboxEntry) -> UpdatedOutboxEntry:
        """The entry of the messaging service as REST shows it after a change."""
        return cls(
            outbox_id=entry.outbox_id,
            status=STATUS_NAMES[entry.status],
            timestamps=timestamps_of(entry),
            retry_count=entry.retry_count,
            error_details=entry.error_details if entry.HasField("error_details") else UNSET,
            error_code=entry.error_code if entry.HasField("error_code") else UNSET,
            error_advice=entry.error_advice if entry.HasField("error_advice") else UNSET,
            resendable=RESENDABLE.get(entry.resend_advice, UNSET),
            carrier_error_code=entry.carrier_error_code if entry.HasField("carrier_error_code") else UNSET,
            delivery_state=STATE_NAMES[entry.delivery_state],
            delivered_at=instant(entry.delivered_time) if entry.HasField("delivered_time") else UNSET,
            expires_at=instant(entry.expires_time) if entry.HasField("expires_time") else UNSET,
            cost_per_unit=number(entry.unit_price_micros),
            total_cost=number(entry.total_cost_micros),
            billing=Billing.of(entry),
        )


class UpdateAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a resend or a cancellation."""

    status: OutcomeField
    message: MessageField
    updated_outbox_entry: UpdatedOutboxEntry


class ErrorCode(msgspec.Struct, frozen=True, rename="camel"):
    """One reason why an SMS failed, or waits."""

    error_code: Annotated[str, Meta(description="Stable; never renamed.")]
    meaning: Annotated[str, Meta(description="What happened: the first part of `errorDetails`.")]
    error_advice: Annotated[str, Meta(description="What to do about it: the last part of `errorDetails`.")]
    resendable: Annotated[Resendable, Meta(description="Whether a resend makes sense: `now`, `later` or `never`.")]

    @classmethod
    def of(cls, code: messaging_pb2.ErrorCode) -> ErrorCode:
        """The entry of the messaging service's catalogue as REST shows it."""
        return cls(code.code, code.meaning, code.advice, RESENDABLE[code.resend_advice])
