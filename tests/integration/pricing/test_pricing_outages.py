"""A database that is away, not migrated, or killed; and the end of the service."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from pricing_service.adapters.migrate import migrate
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import Kind
from tests.conftest import FreshDatabase
from tests.integration.pricing.conftest import (
    DEADLINE_S,
    DIRECT_CUSTOMER,
    TUKUPAY,
    Pricing,
    client_of,
    pricing_on,
    refusal_of,
)
from tests.system.messaging_database import until_found
from tests.system.pgbouncer import service_urls
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

QUESTION = pb.ResolvePriceRequest(customer_id="cust123")


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(tmp_path / "data", fsync=False) as server:
        await server.create_database("pricing")
        yield server


async def test_a_killed_database_makes_the_service_unavailable_until_it_is_back(
    own_server: EmbeddedPostgres,
) -> None:
    url = own_server.url("pricing")
    await asyncio.to_thread(migrate, url)
    async with pricing_on(url, pool_timeout_s=0.3) as pricing, asyncio.timeout(60):
        await pricing.until_serving()
        cost = await pricing.set(TUKUPAY, 1_000_000)
        watch = aiter(pricing.stub.WatchPrices(pb.WatchPricesRequest(heartbeat_interval=Duration(seconds=60))))
        await anext(watch)

        assert own_server.pid is not None
        os.kill(own_server.pid, signal.SIGKILL)
        ended = await refusal_of(anext(watch))
        assert (ended.kind, ended.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        await pricing.until_not_serving()
        request = pb.ListCostsRequest(level=TUKUPAY)
        for call in (pricing.stub.ResolvePrice(QUESTION), pricing.stub.ListCosts(request)):
            error = await refusal_of(call)
            assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
            assert error.retry_after is not None
            assert "socket" not in error.message
        error = await refusal_of(pricing.set(TUKUPAY, 2_000_000))
        assert error.kind is Kind.UNAVAILABLE

        await own_server.start()
        await pricing.until_serving()
        assert (await pricing.stub.ResolvePrice(QUESTION)).cost == cost
        assert (await pricing.set(TUKUPAY, 2_000_000)).revision == 2


async def test_prices_in_memory_outlive_their_database_by_a_second_and_no_more(own_server: EmbeddedPostgres) -> None:
    url = own_server.url("pricing")
    await asyncio.to_thread(migrate, url)
    loop = asyncio.get_running_loop()
    async with pricing_on(url, book_staleness_s=1.0, pool_timeout_s=0.2) as pricing, asyncio.timeout(60):
        await pricing.until_serving()
        cost = await pricing.set(TUKUPAY, 1_000_000)
        assert (await pricing.stub.ResolvePrice(QUESTION)).cost == cost
        assert own_server.pid is not None
        os.kill(own_server.pid, signal.SIGKILL)
        killed = loop.time()
        assert (await pricing.stub.ResolvePrice(QUESTION)).cost == cost
        asked = killed
        while await _answers(pricing):
            # The last look began before the database died. When an answer arrives depends on the machine; when its
            # question was asked does not, but for the turn of the loop in between.
            assert asked - killed < 1.5
            asked = loop.time()
        await pricing.until_not_serving()
        await own_server.start()
        await pricing.until_serving()
        changed = await pricing.set(TUKUPAY, 1_100_000)
        assert (await pricing.stub.ResolvePrice(QUESTION)).cost == changed


async def _answers(pricing: Pricing) -> bool:
    """Whether the price can be had; if not, for the one reason that there may be."""
    call = pricing.stub.ResolvePrice(QUESTION)
    code = await call.code()
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
    return code is grpc.StatusCode.OK


async def test_a_question_about_what_was_known_waits_for_the_change_under_way(
    pricing: Pricing, pricing_url: str
) -> None:
    cost = await pricing.set(TUKUPAY, 1_000_000)
    request = pb.ResolvePriceRequest(customer_id="cust123", known_at=cost.recorded_time)
    async with asyncio.timeout(30), await psycopg.AsyncConnection.connect(pricing_url) as blocker:
        await blocker.execute("SELECT FROM price_epoch FOR UPDATE")
        asked = asyncio.ensure_future(pricing.stub.ResolvePrice(request))
        await _somebody_waits_for_a_lock(pricing_url)
        assert not asked.done()
        # Other questions do not wait.
        assert (await pricing.stub.ResolvePrice(QUESTION)).cost == cost
        await blocker.rollback()
        assert (await asked).cost == cost


async def test_connections_that_died_in_a_quick_restart_fail_no_reader(
    own_server: EmbeddedPostgres,
) -> None:
    url = own_server.url("pricing")
    await asyncio.to_thread(migrate, url)
    async with pricing_on(url, pool_timeout_s=10) as pricing, asyncio.timeout(60):
        await pricing.until_serving()
        await pricing.set(TUKUPAY, 1_000_000)
        await asyncio.gather(*(pricing.stub.ResolvePrice(QUESTION) for _ in range(50)))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        answers = await asyncio.gather(*(pricing.stub.ResolvePrice(QUESTION) for _ in range(50)))
        assert {answer.cost.price_micros for answer in answers} == {1_000_000}


async def test_a_database_that_stays_silent_is_taken_for_one_that_is_away(pricing_url: str) -> None:
    async with pricing_on(pricing_url) as pricing, asyncio.timeout(30):
        await pricing.until_serving()
        watch = aiter(pricing.stub.WatchPrices(pb.WatchPricesRequest(heartbeat_interval=Duration(seconds=60))))
        await anext(watch)
        async with await psycopg.AsyncConnection.connect(pricing_url) as silencer:
            await silencer.execute("LOCK TABLE price_epoch, alembic_version")
            ended = await refusal_of(anext(watch))
            assert (ended.kind, ended.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
            await pricing.until_not_serving()
            await silencer.rollback()
        await pricing.until_serving()
        await anext(aiter(pricing.stub.WatchPrices(pb.WatchPricesRequest())))


async def test_the_service_starts_before_its_database(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", fsync=False)
    async with pricing_on(server.url("pricing"), pool_timeout_s=0.2) as pricing:
        await pricing.until_not_serving()
        error = await refusal_of(pricing.stub.ResolvePrice(QUESTION))
        assert error.reason == "DATABASE_UNAVAILABLE"
        async with server:
            await server.create_database("pricing")
            await asyncio.to_thread(migrate, server.url("pricing"))
            await pricing.until_serving()
            await pricing.set(TUKUPAY, 1_000_000)


async def test_a_database_without_migrations_is_not_served_until_it_has_them(
    fresh_database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    url = fresh_database()
    async with pricing_on(url) as pricing:
        await pricing.until_not_serving()
        error = await refusal_of(pricing.stub.ResolvePrice(QUESTION))
        assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "DATABASE_NOT_READY")
        assert "tukupay-sms migrate" in error.message
        await asyncio.to_thread(migrate, url)
        await pricing.until_serving()
    assert "run `tukupay-sms migrate`" in capsys.readouterr().out


async def test_a_database_of_a_newer_release_is_served(new_pricing_url: str) -> None:
    with psycopg.connect(new_pricing_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    async with pricing_on(new_pricing_url) as pricing:
        await pricing.until_serving()


@asynccontextmanager
async def own_process(url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Pricing]]:
    """The service as operators run it, and a client of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pricing_service",
        env={**os.environ, **service_urls("PRICING_DATABASE_URL", url), "PRICING_GRPC_ADDRESS": "127.0.0.1:0"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            async for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "pricing.listening":
                    break
            else:
                raise AssertionError("the service ended before it listened")
        async with client_of(int(event["address"].rpartition(":")[2])) as pricing:
            await pricing.until_serving()
            yield process, pricing
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_sigterm_lets_running_calls_end_and_closes_watches_in_good_order(pricing_url: str) -> None:
    async with own_process(pricing_url) as (process, pricing), asyncio.timeout(30):
        watch = aiter(pricing.stub.WatchPrices(pb.WatchPricesRequest()))
        await anext(watch)
        async with await psycopg.AsyncConnection.connect(pricing_url) as blocker:
            await blocker.execute("SELECT FROM price_epoch FOR UPDATE")
            running = asyncio.ensure_future(pricing.set(DIRECT_CUSTOMER, 800_000))
            await _somebody_waits_for_a_lock(pricing_url)
            process.terminate()
            # Ends of its own accord: with an error status this would raise.
            assert {news.epoch async for news in watch} <= {0}
            assert not running.done()
            await blocker.rollback()
        assert (await running).revision == 1
        assert await process.wait() == 0
        with pytest.raises(aio.AioRpcError) as caught:
            await pricing.stub.ResolvePrice(QUESTION)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def _somebody_waits_for_a_lock(url: str) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    await until_found(url, waiting)


async def test_wrong_settings_end_the_process_with_every_mistake_named() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pricing_service",
        env={**os.environ, "PRICING_DATABASE_URL": "", "PRICING_GRPC_ADDRESS": "0.0.0.0:50051"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == 2
    assert b"PRICING_DATABASE_URL" in complaint
    assert b"PRICING_GRPC_ADDRESS" in complaint
