"""Quotes from and to domain objects."""

from __future__ import annotations

from decimal import Decimal

from messaging_service.prices.quote_sms import Quote, QuoteDraft
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.grpc.wire import ENCODINGS, LEVELS, MODES, to_instant
from messaging_service.texts.gsm7_advice import Gsm7Advice
from service_kit.access.principal import Principal
from service_kit.access.refusals import app_of
from tukupay.sms.messaging.v1 import messaging_pb2 as pb


def to_quote_draft(request: pb.QuoteSmsRequest, sender: Principal) -> QuoteDraft:
    """A request of a sender to quote, checked only for what the domain has no words for, and for its app."""
    scheduled = to_instant("scheduled_time", request.scheduled_time) if request.HasField("scheduled_time") else None
    return QuoteDraft(
        user_id=request.user_id,
        message=request.message,
        scheduled_time=scheduled,
        app_id=app_of(sender, request.app_id if request.HasField("app_id") else None),
        recipient_phone_number=request.recipient_phone_number if request.HasField("recipient_phone_number") else None,
        sender_id=request.sender_id if request.HasField("sender_id") else None,
        mode=sender.mode,
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
        mode=MODES[quote.mode],
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
