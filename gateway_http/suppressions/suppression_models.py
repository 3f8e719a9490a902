"""Entries of the suppression list as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway_http.shared.rest_instants import instant
from tukupay.sms.messaging.v1 import suppressions_pb2

SourceName = Literal["stop_keyword", "carrier", "operator", "api"]

SOURCES: dict[SourceName, suppressions_pb2.SuppressionSource.ValueType] = {
    "stop_keyword": suppressions_pb2.SUPPRESSION_SOURCE_STOP_KEYWORD,
    "carrier": suppressions_pb2.SUPPRESSION_SOURCE_CARRIER,
    "operator": suppressions_pb2.SUPPRESSION_SOURCE_OPERATOR,
    "api": suppressions_pb2.SUPPRESSION_SOURCE_API,
}
_SOURCE_NAMES: dict[int, SourceName] = {value: name for name, value in SOURCES.items()}

_Phone = Annotated[str, Meta(description="The recipient in E.164.", extra_json_schema={"examples": ["+254712345678"]})]
_Source = Annotated[
    SourceName,
    Meta(
        description="Where it came from. stop_keyword: the phone wrote STOP or START. carrier: the carrier reported "
        "it. operator: somebody who runs the system. api: an app."
    ),
]
_ONE_LINE = {"minLength": 1, "maxLength": 64}
_ONE_REASON = {"minLength": 1, "maxLength": 200}


class NewSuppression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A recipient to suppress. `null` for an optional field is the same as leaving it out."""

    phone_number: _Phone
    sender_id: Annotated[
        str | None,
        Meta(
            description="The sender id whose messages are to stop; every sender id without it.",
            extra_json_schema={"minLength": 1, "maxLength": 16},
        ),
    ] = None
    user_id: Annotated[
        str | None,
        Meta(
            description="The account whose messages are to stop; every account without it.",
            extra_json_schema=_ONE_LINE,
        ),
    ] = None
    reason: Annotated[str, Meta(description="Why; kept with the entry.", extra_json_schema=_ONE_REASON)]
    created_by: Annotated[str, Meta(description="Who asks; kept with the entry.", extra_json_schema=_ONE_LINE)]

    def to_request(self) -> suppressions_pb2.AddSuppressionRequest:
        """The call that makes the entry."""
        return suppressions_pb2.AddSuppressionRequest(
            phone_number=self.phone_number,
            sender_id=self.sender_id,
            user_id=self.user_id,
            source=suppressions_pb2.SUPPRESSION_SOURCE_API,
            reason=self.reason,
            created_by=self.created_by,
        )


class SuppressionQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A message that might be sent."""

    phone_number: _Phone
    sender_id: Annotated[
        str,
        Meta(description="The sender id it would have.", extra_json_schema={"minLength": 1, "maxLength": 16}),
    ]
    user_id: Annotated[str, Meta(description="The account that would send.", extra_json_schema=_ONE_LINE)]

    def to_request(self) -> suppressions_pb2.CheckSuppressionRequest:
        """The call that answers it."""
        return suppressions_pb2.CheckSuppressionRequest(
            phone_number=self.phone_number, sender_id=self.sender_id, user_id=self.user_id
        )


class SuppressionEnding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How an entry ended."""

    ended_at: Annotated[datetime, Meta(tz=True, description="When, in UTC.")]
    source: _Source
    ended_by: Annotated[str, Meta(description="Who ended it, or the carrier that delivered the phone's message.")]
    reason: Annotated[str, Meta(description="Why.")]


class Suppression(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A recipient who gets no messages."""

    suppression_id: Annotated[str, Meta(description="Unique identifier of the entry.")]
    phone_number: Annotated[
        str,
        Meta(
            description="The recipient in E.164; its middle is hidden without the scope `pii:read`. Empty once "
            "the phone was erased: the entry holds all the same.",
            extra_json_schema={"examples": ["+254712345678"]},
        ),
    ]
    sender_id: Annotated[str | None, Meta(description="The sender id whose messages are stopped; null for every one.")]
    user_id: Annotated[str | None, Meta(description="The account whose messages are stopped; null for every one.")]
    source: _Source
    reason: Annotated[str, Meta(description="Why.")]
    created_by: Annotated[str, Meta(description="Who made it, or the carrier that delivered the phone's message.")]
    created_at: Annotated[datetime, Meta(tz=True, description="When it was made, in UTC.")]
    ending: Annotated[SuppressionEnding | None, Meta(description="How it ended; null while it holds.")]

    @classmethod
    def of(cls, entry: suppressions_pb2.Suppression) -> Suppression:
        """The entry of the messaging service as REST shows it."""
        ending = None
        if entry.HasField("ending"):
            ending = SuppressionEnding(
                ended_at=instant(entry.ending.ended_time),
                source=_SOURCE_NAMES[entry.ending.source],
                ended_by=entry.ending.ended_by,
                reason=entry.ending.reason,
            )
        return cls(
            suppression_id=entry.suppression_id,
            phone_number=entry.phone_number,
            sender_id=entry.sender_id if entry.HasField("sender_id") else None,
            user_id=entry.user_id if entry.HasField("user_id") else None,
            source=_SOURCE_NAMES[entry.source],
            reason=entry.reason,
            created_by=entry.created_by,
            created_at=instant(entry.created_time),
            ending=ending,
        )


class AddedSuppression(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The entry that holds now."""

    suppression: Suppression
    cancelled_messages: Annotated[
        int, Meta(ge=0, description="Messages that waited in the queue and were cancelled; they cost nothing.")
    ]


class SuppressionAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a message would be stopped, and by what."""

    suppressed: Annotated[bool, Meta(description="Whether it would be refused with `RECIPIENT_OPTED_OUT`.")]
    suppressions: Annotated[Sequence[Suppression], Meta(description="The entries that stop it, oldest first.")]
