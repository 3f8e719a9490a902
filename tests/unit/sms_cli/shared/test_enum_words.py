"""Values of the contract's enums as words."""

from __future__ import annotations

from sms_cli.shared.enum_words import enum_constant, enum_word, enum_words
from tukupay.sms.messaging.v1 import channels_pb2, messaging_pb2, webhooks_pb2
from tukupay.sms.pricing.v1 import pricing_pb2


def test_a_word_is_what_a_name_adds_to_its_enum() -> None:
    assert enum_word(messaging_pb2.DeliveryState, messaging_pb2.DELIVERY_STATE_SCHEDULED) == "scheduled"
    assert enum_word(webhooks_pb2.WebhookEvent, webhooks_pb2.WEBHOOK_EVENT_CARRIER_BALANCE_LOW) == "carrier_balance_low"


def test_words_leave_out_the_value_that_is_not_set() -> None:
    assert enum_words(channels_pb2.ChannelDeliveryState) == {"pending": 1, "delivered": 2, "failed": 3}


def test_a_value_of_a_newer_release_is_shown_by_its_number() -> None:
    assert enum_word(messaging_pb2.Priority, 99) == "value_99"
    assert enum_constant(pricing_pb2.PriceGuard, 98) == "VALUE_98"
