"""Builds what the service knows of prices, and how it learns."""

from __future__ import annotations

import time
from dataclasses import dataclass

from grpc import aio

from messaging_service.prices.client.book_client import BookClient
from messaging_service.prices.client.copy_audit import CopyAudit
from messaging_service.prices.client.live_prices import LivePrices, report_copy
from messaging_service.prices.client.price_questions import PriceQuestions
from messaging_service.prices.client.price_watch import SILENT_INTERVALS, PriceWatch
from messaging_service.prices.domain.price_copy import PriceCopy
from messaging_service.prices.metrics.price_copy_metrics import PriceCopyCollector
from messaging_service.prices.prices import Prices
from messaging_service.prices.quote_sms import QuoteSms
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from messaging_service.shared.phone_numbers import AccountDestinationCheck
from messaging_service.wiring.messaging_process import MAX_WAITING, Duties, Process
from service_kit.access.own_token import own_token
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_metrics import ClientCalls

_BOOK_TIMEOUT_S = 30.0
"""Longest time for one call of a report to the price book."""


@dataclass(frozen=True, slots=True)
class WiredPrices:
    """What the service knows of prices."""

    duties: Duties
    channel: aio.Channel
    """To the pricing service; the builder closes it."""
    prices: Prices
    quote: QuoteSms
    book: BookClient
    """The price book itself, for reports."""
    audit: CopyAudit


def build_prices(process: Process, destinations: AccountDestinationCheck) -> WiredPrices:
    """Puts it together; nothing connects yet. `destinations`: where accounts may send to, for quotes."""
    settings, sending, now = process.settings.prices, process.settings.sending, process.seams.now
    token = process.settings.access.service_token
    tls = process.tls.open("pricing", process.settings.pricing_tls.files)
    channel = open_channel(settings.pricing_address, None if token is None else own_token(token), tls=tls)
    calls = ClientCalls(process.registry)
    copy = PriceCopy(
        capacity=settings.price_copy_answers,
        silence_s=SILENT_INTERVALS * settings.price_heartbeat_s,
        stale_s=settings.price_stale_s,
        clock=time.monotonic,
    )
    questions = PriceQuestions(channel, timeout_s=settings.pricing_timeout_s, calls=calls)
    prices = LivePrices(questions, copy, max_waiting=MAX_WAITING, meter=process.flushes.of("prices"))
    watch = PriceWatch(channel, copy, heartbeat_s=settings.price_heartbeat_s, calls=calls)
    process.registry.register(PriceCopyCollector(copy))
    process.flushes.watch("prices", prices.questions)
    return WiredPrices(
        duties={"price_watch": watch.run, "price_copy": lambda: report_copy(copy)},
        channel=channel,
        prices=prices,
        quote=QuoteSms(
            prices,
            phone_problem=phone_number_problem,
            destination_problem=destinations,
            max_units=sending.max_units,
            now=now,
        ),
        book=BookClient(channel, timeout_s=_BOOK_TIMEOUT_S, now=now, calls=calls),
        audit=CopyAudit(copy, questions, watch),
    )
