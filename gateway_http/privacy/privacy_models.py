"""What privacy takes and answers over REST."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from tukupay.sms.messaging.v1 import privacy_pb2 as pb


class NewErasure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A phone to erase."""

    phone_number: Annotated[
        str, Meta(description="The phone in E.164.", extra_json_schema={"examples": ["+254712345678"]})
    ]

    def to_request(self) -> pb.ErasePhoneRequest:
        """What the messaging service is asked."""
        return pb.ErasePhoneRequest(phone_number=self.phone_number)


_Count = Annotated[int, Meta(ge=0)]


class Erasure(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was erased now, and what waits."""

    messages: Annotated[
        _Count, Meta(description="Messages that lost their recipient, text, metadata and carriers' words.")
    ]
    receipts: Annotated[_Count, Meta(description="Delivery receipts that lost their phone and words.")]
    inbound_messages: Annotated[_Count, Meta(description="Messages from the phone that were deleted.")]
    counts: Annotated[_Count, Meta(description="Counts of limits that were deleted.")]
    suppressions: Annotated[_Count, Meta(description="Opt-outs in which a keyed hash took the phone's place.")]
    open_messages: Annotated[
        _Count, Meta(description="Messages whose outcome is open: repeat the erasure once they have ended.")
    ]
    waiting: Annotated[
        _Count, Meta(description="Other rows that are still being worked on: repeat the erasure in a minute.")
    ]

    @classmethod
    def of(cls, erased: pb.ErasePhoneResponse) -> Erasure:
        """The answer of the messaging service as REST shows it."""
        return cls(
            messages=erased.messages,
            receipts=erased.receipts,
            inbound_messages=erased.inbound_messages,
            counts=erased.counts,
            suppressions=erased.suppressions,
            open_messages=erased.open_messages,
            waiting=erased.waiting,
        )
