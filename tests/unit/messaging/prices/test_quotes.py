"""What a message would take and cost, before it is sent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from messaging_service.prices.grpc.quote_messages import from_quote
from messaging_service.prices.quote_sms import Quote, QuoteDraft, QuoteSms
from messaging_service.shared.domain.fields import MAX_SCHEDULE_AHEAD
from service_kit.access.principal import AccessMode
from service_kit.errors import Kind, ServiceError
from tests.contract.sms_examples import NOON, TWO_UNITS
from tests.doubles.messaging_fakes import FixedPrices, anywhere, unavailable
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(10)


def quotes(prices: FixedPrices) -> QuoteSms:
    return QuoteSms(
        prices,
        destination_problem=anywhere,
        phone_problem=lambda number: None if number.startswith("+") else "is not in E.164",
        max_units=10,
        now=lambda: NOON,
    )


async def quote_of(message: str) -> Quote:
    return await quotes(FixedPrices())(QuoteDraft("user123", message))


async def test_a_quote_says_what_a_message_takes_and_costs() -> None:
    quote = await quote_of(TWO_UNITS)
    assert (quote.segmentation.units, quote.total, quote.advice) == (2, Decimal("1.2"), None)


async def test_a_quote_for_a_test_asks_for_no_price_and_says_what_it_is() -> None:
    prices = FixedPrices()
    quote = await quotes(prices)(QuoteDraft("user123", TWO_UNITS, mode=AccessMode.TEST))
    answer = from_quote(quote)
    assert (answer.total_cost_micros, answer.unit_price_micros, answer.price_cost_id) == (0, 0, "test")
    assert (answer.mode, len(answer.segments)) == (access_pb2.ACCESS_MODE_TEST, 2)
    assert prices.questions == []
    assert from_quote(await quote_of(TWO_UNITS)).mode == access_pb2.ACCESS_MODE_LIVE


async def test_a_quote_is_for_its_instant_and_the_past_means_now() -> None:
    prices = FixedPrices()
    later = NOON + timedelta(days=1)
    for at in (None, NOON - timedelta(days=1), NOON, later):
        await quotes(prices)(QuoteDraft("user123", "Habari", at, "app7"))
    assert prices.questions == [("user123", "app7", None)] * 3 + [("user123", "app7", later)]


async def test_a_recipient_and_a_sender_are_checked_when_given() -> None:
    prices = FixedPrices()
    await quotes(prices)(QuoteDraft("user123", "Habari", recipient_phone_number="+254712345678", sender_id="TUKUPAY"))
    with pytest.raises(ServiceError) as caught:
        await quotes(prices)(QuoteDraft("user123", "Habari", recipient_phone_number="0712", sender_id="!"))
    assert {violation.field: violation.reason for violation in caught.value.violations} == {
        "recipient_phone_number": "INVALID_PHONE_NUMBER",
        "sender_id": "INVALID_SENDER_ID",
    }
    assert len(prices.questions) == 1


async def test_a_quote_names_every_fault() -> None:
    prices = FixedPrices()
    far = NOON + MAX_SCHEDULE_AHEAD + timedelta(seconds=1)
    with pytest.raises(ServiceError) as caught:
        await quotes(prices)(QuoteDraft("", "", far, "x" * 65, "", ""))
    assert caught.value.kind is Kind.INVALID
    assert {violation.field for violation in caught.value.violations} == {
        "user_id",
        "app_id",
        "recipient_phone_number",
        "sender_id",
        "message",
        "scheduled_time",
    }
    assert prices.questions == []


async def test_a_quote_without_a_price_says_so() -> None:
    prices = FixedPrices()
    prices.failure = unavailable("PRICING_UNAVAILABLE")
    with pytest.raises(ServiceError, match="PRICING_UNAVAILABLE"):
        await quotes(prices)(QuoteDraft("user123", "Habari"))


async def test_a_text_in_ucs2_comes_with_advice_priced_at_the_same_price() -> None:
    message = "It’s due. " + "a" * 140
    answer = from_quote(await quote_of(message))
    assert (answer.encoding, len(answer.segments), answer.total_cost_micros) == (pb.ENCODING_UCS2, 3, 1_800_000)
    advice = answer.gsm7_advice
    assert (advice.text, advice.units, advice.savings_micros) == (message.replace("’", "'"), 1, 1_200_000)
    [character] = advice.unicode_characters
    assert (character.code_point, character.count, character.replacement) == ("U+2019", 1, "'")


async def test_advice_without_a_near_text_has_none_on_the_wire() -> None:
    advice = from_quote(await quote_of("Karibu 🙂")).gsm7_advice
    assert not advice.HasField("text")
    assert (advice.units, advice.savings_micros) == (0, 0)
    [character] = advice.unicode_characters
    assert not character.HasField("replacement")


async def test_a_text_in_gsm7_has_no_advice_on_the_wire() -> None:
    assert not from_quote(await quote_of("Habari")).HasField("gsm7_advice")
