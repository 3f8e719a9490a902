"""Quotes as REST takes and shows them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway_http.shared.cost_levels import LEVEL_NAMES, Level
from gateway_http.shared.outbox_entry import MODE_NAMES, ModeField
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import timestamp
from gateway_http.shared.rest_money import number
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import messaging_pb2

EncodingName = Literal["GSM-7", "UCS-2"]

ENCODINGS: dict[int, EncodingName] = {
    messaging_pb2.ENCODING_GSM7: "GSM-7",
    messaging_pb2.ENCODING_UCS2: "UCS-2",
}


def _amount(description: str) -> Meta:
    return Meta(description=description, extra_json_schema={"type": "number", "examples": [0.6]})


class NewQuote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A message to quote. `null` for an optional field is the same as leaving it out."""

    user_id: Annotated[
        str,
        Meta(description="The account that would pay.", extra_json_schema={"minLength": 1, "maxLength": 64}),
    ]
    message: Annotated[str, Meta(description="The text, at most 10 units.", extra_json_schema={"minLength": 1})]
    recipient_phone_number: Annotated[
        str | None,
        Meta(
            description="The recipient in E.164; checked as for sending when given.",
            extra_json_schema={"examples": ["+254712345678"]},
        ),
    ] = None
    sender_id: Annotated[
        str | None,
        Meta(
            description="The sender; checked as for sending when given.",
            extra_json_schema={"minLength": 1, "maxLength": 16},
        ),
    ] = None
    schedule_timestamp: Annotated[
        str | None,
        Meta(
            description="When it would be sent, with its offset, at most 365 days ahead: it is priced for that "
            "instant. Past or absent means now.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = None

    def to_request(self) -> messaging_pb2.QuoteSmsRequest:
        """The call that quotes it; raises ProblemError when the time cannot be read."""
        scheduled = None
        if self.schedule_timestamp is not None:
            scheduled = timestamp(self.schedule_timestamp, "scheduleTimestamp")
        if isinstance(scheduled, Violation):
            raise invalid_fields([scheduled])
        return messaging_pb2.QuoteSmsRequest(
            user_id=self.user_id,
            message=self.message,
            scheduled_time=scheduled,
            recipient_phone_number=self.recipient_phone_number,
            sender_id=self.sender_id,
        )


class UnicodeCharacter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A character that GSM-7 does not have."""

    character: Annotated[str, Meta(description="The character itself.")]
    code_point: Annotated[str, Meta(description="Its code point.", extra_json_schema={"examples": ["U+2019"]})]
    name: Annotated[str, Meta(description="Its name in the Unicode standard; empty when it has none.")]
    count: Annotated[int, Meta(ge=1, description="How often the text has it.")]
    replacement: Annotated[
        str | UnsetType,
        Meta(
            description="What stands in for it in the nearest text: empty when it goes, or joins the letter before "
            "it; absent when nothing does."
        ),
    ] = UNSET

    @classmethod
    def of(cls, found: messaging_pb2.UnicodeCharacter) -> UnicodeCharacter:
        """The character of the messaging service as this route shows it."""
        return cls(
            character=found.character,
            code_point=found.code_point,
            name=found.name,
            count=found.count,
            replacement=found.replacement if found.HasField("replacement") else UNSET,
        )


class QuoteAdvice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a text goes out in UCS-2, and the nearest text that would not."""

    characters: Annotated[
        list[UnicodeCharacter],
        Meta(description="The characters that GSM-7 does not have, each once, in their order of appearance."),
    ]
    text: Annotated[
        str | UnsetType,
        Meta(description="The nearest text that GSM-7 can carry; absent when a character has no near one."),
    ] = UNSET
    sms_units: Annotated[
        Annotated[int, Meta(ge=1)] | UnsetType, Meta(description="Units of that text; absent without one.")
    ] = UNSET
    saving: Annotated[
        Raw | UnsetType,
        _amount("What that text would save in KES, `0.0` when nothing; absent without one."),
    ] = UNSET

    @classmethod
    def of(cls, advice: messaging_pb2.Gsm7Advice) -> QuoteAdvice:
        """The advice of the messaging service as this route shows it."""
        characters = [UnicodeCharacter.of(found) for found in advice.unicode_characters]
        if not advice.HasField("text"):
            return cls(characters=characters)
        return cls(
            characters=characters, text=advice.text, sms_units=advice.units, saving=number(advice.savings_micros)
        )


class Quote(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a message would take and cost."""

    encoding: Annotated[
        EncodingName,
        Meta(description="The alphabet it would go out in: GSM-7, or UCS-2 as soon as one character is not in GSM-7."),
    ]
    sms_units: Annotated[int, Meta(ge=1, description="SMS units that it would take, one for each part.")]
    parts: Annotated[list[str], Meta(description="The text as it would be cut.")]
    cost_per_unit: Annotated[Raw, _amount("Price of one unit in KES.")]
    total_cost: Annotated[Raw, _amount("`smsUnits` × `costPerUnit`, exact.")]
    currency: Annotated[Literal["KES"], Meta(description="Of all amounts.")] = "KES"
    level: Annotated[Level, Meta(description="The level whose price applies.")]
    cost_id: Annotated[str, Meta(description="The row that the price comes from.")]
    advice: Annotated[
        QuoteAdvice | UnsetType,
        Meta(description="How it could cost less; absent when it goes out in GSM-7 as it is."),
    ] = UNSET
    mode: ModeField = UNSET

    @classmethod
    def of(cls, quote: messaging_pb2.QuoteSmsResponse) -> Quote:
        """The quote of the messaging service as this route shows it."""
        return cls(
            encoding=ENCODINGS[quote.encoding],
            sms_units=len(quote.segments),
            parts=list(quote.segments),
            cost_per_unit=number(quote.unit_price_micros),
            total_cost=number(quote.total_cost_micros),
            level=LEVEL_NAMES[quote.price_level],
            cost_id=quote.price_cost_id,
            advice=QuoteAdvice.of(quote.gsm7_advice) if quote.HasField("gsm7_advice") else UNSET,
            mode=MODE_NAMES.get(quote.mode, UNSET),
        )
