"""What the messaging service exports moves with what it does."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from grpc import aio

from messaging_service.carriers.domain.submission import Outcome, Submission
from tests.contract.sms_examples import accepted
from tests.integration.messaging.metered_service import Metered
from tests.integration.messaging.running_service import message
from tests.system.promql import Exported
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)


async def test_calls_are_counted_by_method_and_by_how_they_ended(metered: Metered) -> None:
    await metered.service.send()
    await metered.service.batch([message(), message(), message()])
    with pytest.raises(aio.AioRpcError):
        await metered.service.send(recipient_phone_number="0712")
    with pytest.raises(aio.AioRpcError):
        await metered.service.sms.GetOutboxEntry(pb.GetOutboxEntryRequest(outbox_id="outbox_none"))
    figures = await metered.figures()
    calls = "tukupay_grpc_server_calls_total"
    assert figures(calls, method="MessagingService/SendSms", code="OK") == 1
    assert figures(calls, method="MessagingService/SendSms", code="INVALID_ARGUMENT") == 1
    assert figures(calls, method="MessagingService/SendSmsBatch", code="OK") == 1
    assert figures(calls, method="MessagingService/GetOutboxEntry", code="NOT_FOUND") == 1
    seconds = "tukupay_grpc_server_call_seconds"
    assert figures(f"{seconds}_count", method="MessagingService/SendSms") == 2
    assert 0 < figures(f"{seconds}_sum", method="MessagingService/SendSms") < 20


async def test_the_way_of_a_message_to_its_carrier_is_measured(metered: Metered) -> None:
    await metered.service.send(priority=pb.PRIORITY_HIGH)
    await metered.service.send()
    figures = await metered.figures()
    seconds = "tukupay_accept_to_carrier_seconds"
    assert (figures(f"{seconds}_count", lane="high"), figures(f"{seconds}_count", lane="normal")) == (1, 1)
    assert 0 < figures(f"{seconds}_sum", lane="high") < 20
    # The objective is a bound.
    assert 'lane="high",le="2.0"' in figures.text


async def test_a_flush_that_the_database_fails_is_counted_by_its_sqlstate(metered: Metered, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("ALTER TABLE message ADD CONSTRAINT nothing CHECK (false) NOT VALID")
        try:
            with pytest.raises(aio.AioRpcError):
                await metered.service.send()
        finally:
            # Tests share the tables, one after another.
            await connection.execute("ALTER TABLE message DROP CONSTRAINT nothing")
    figures = await metered.figures()
    errors = "tukupay_database_errors_total"
    assert figures(errors, work="acceptance", sqlstate_class="23") >= 1
    assert figures(errors, work="call", sqlstate_class="23") == 1


async def test_a_call_that_is_given_up_and_one_that_does_not_exist_are_counted(metered: Metered) -> None:
    release = asyncio.Event()

    async def slow(_: Submission) -> Outcome:
        await release.wait()
        return accepted()

    metered.service.carrier.answer = slow
    call = metered.service.sms.SendSms(message())
    await metered.service.carrier.submitted(1)
    call.cancel()
    path = "/tukupay.sms.messaging.v1.MessagingService/Guess" + "x" * 50
    with pytest.raises(aio.AioRpcError):
        await metered.service.channel.unary_unary(path, request_serializer=bytes)(b"")
    figures = await metered.until(lambda figures: figures("tukupay_grpc_server_calls_total", code="CANCELLED") > 0)
    assert figures("tukupay_grpc_server_calls_total", method="none/none", code="UNIMPLEMENTED") == 1
    assert "Guess" not in figures.text
    release.set()


async def test_calls_to_pricing_are_counted(metered: Metered) -> None:
    await metered.service.send()
    figures = await metered.figures()
    calls = "tukupay_grpc_client_calls_total"
    assert figures(calls, method="PricingService/BatchResolvePrices", code="OK") == 1
    assert figures("tukupay_grpc_client_call_seconds_count", method="PricingService/BatchResolvePrices") == 1
    # The scripted price book has no watch.
    assert figures(calls, method="PricingService/WatchPrices", code="UNIMPLEMENTED") >= 1


async def test_the_pools_are_shown(metered: Metered) -> None:
    await metered.service.send()
    figures = await metered.figures()
    assert figures("tukupay_database_pool_max_connections", pool="messaging") == 10
    assert figures("tukupay_database_pool_connections", pool="messaging") >= 2
    assert figures("tukupay_database_pool_requests_total", pool="messaging") >= 2
    assert figures("tukupay_database_pool_waiting", pool="messaging") == 0
    assert "tukupay_database_pool_errors" in figures.families


async def test_counters_of_alerts_are_there_before_anything_happens(metered: Metered) -> None:
    assert Exported([await metered.figures()]).first_faults_unseen() == []


async def test_every_metric_is_documented_and_every_documented_one_is_there(metered: Metered) -> None:
    assert (await metered.figures()).documented_wrongly("messaging") == []
