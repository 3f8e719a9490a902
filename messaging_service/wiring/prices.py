"""What the service knows of prices, and how it learns."""

from __future__ import annotations

import time
from dataclasses import dataclass

from grpc import aio

from messaging_service.prices.client.live_prices import LivePrices
from messaging_service.prices.client.price_questions import PriceQuestions
from messaging_service.prices.client.price_watch import SILENT_INTERVALS, PriceWatch
from messaging_service.prices.domain.price_copy import PriceCopy
from messaging_service.wiring.metrics import MessagingMetrics
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.grpc.channel import open_channel

MAX_WAITING = 20_000
"""Requests that may wait for a commit or a price; more are turned away with RESOURCE_EXHAUSTED."""


@dataclass(frozen=True, slots=True)
class PricingKnowledge:
    """What the service knows of prices, and how it learns."""

    channel: aio.Channel
    copy: PriceCopy
    questions: PriceQuestions
    prices: LivePrices
    watch: PriceWatch


def pricing_knowledge(settings: MessagingSettings, metrics: MessagingMetrics) -> PricingKnowledge:
    """Puts it together; nothing connects yet."""
    channel = open_channel(settings.prices.pricing_address)
    copy = PriceCopy(
        capacity=settings.prices.price_copy_answers,
        silence_s=SILENT_INTERVALS * settings.prices.price_heartbeat_s,
        stale_s=settings.prices.price_stale_s,
        clock=time.monotonic,
    )
    calls = metrics.pricing_calls
    questions = PriceQuestions(channel, timeout_s=settings.prices.pricing_timeout_s, calls=calls)
    prices = LivePrices(questions, copy, max_waiting=MAX_WAITING, meter=metrics.flushes.of("prices"))
    metrics.watch_prices(copy, prices.questions)
    return PricingKnowledge(
        channel=channel,
        copy=copy,
        questions=questions,
        prices=prices,
        watch=PriceWatch(channel, copy, heartbeat_s=settings.prices.price_heartbeat_s, calls=calls),
    )
