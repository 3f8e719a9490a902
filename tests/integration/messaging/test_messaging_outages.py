"""Something that the service needs is away: a clear error, and nothing stored, charged or sent."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from messaging_service.sending.outbox import Acceptance, Accepted, ListFilter, Outbox
from messaging_service.shared.domain.message import Message
from messaging_service.wiring.migrate import migrate
from service_kit.access.principal import Accounts
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import Kind, ServiceError
from tests.conftest import FreshDatabase
from tests.contract.sms_examples import RECIPIENT
from tests.integration.messaging.running_service import DEADLINE_S, Running, message, refusal_of, service_on
from tests.system import pgbouncer
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(90)


async def until_serving(service: Running, *, serving: bool = True) -> None:
    status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    async with asyncio.timeout(DEADLINE_S):
        async for report in health_pb2_grpc.HealthStub(service.channel).Watch(health_pb2.HealthCheckRequest()):
            if report.status == status:
                return


async def assert_untouched(service: Running, url: str) -> None:
    for table in ("message", "dispatch", "idempotency", "account", "ledger_entry"):
        assert await rows(url, f"SELECT 1 FROM {table}") == [], table
    assert service.carrier.submissions == []
    await service.all_slots_back()


async def test_a_message_that_nothing_prices_is_refused(service: Running, database_url: str) -> None:
    service.pricing.failures = {"user123": "NO_PRICE"}
    error = await refusal_of(service.send(app_id="app7"))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "NO_PRICE")
    assert error.metadata == {"customer_id": "user123", "app_id": "app7"}
    quote = pb.QuoteSmsRequest(user_id="user123", message="Habari")
    assert (await refusal_of(service.sms.QuoteSms(quote))).reason == "NO_PRICE"
    await assert_untouched(service, database_url)


async def test_a_price_book_that_cannot_answer_is_not_a_missing_price(service: Running, database_url: str) -> None:
    service.pricing.failures = {"user123": "DATABASE_UNAVAILABLE"}
    error = await refusal_of(service.send())
    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "PRICING_UNAVAILABLE")
    assert error.retry_after is not None
    await assert_untouched(service, database_url)


async def test_without_the_price_book_nothing_is_sent(database_url: str) -> None:
    async with service_on(database_url, pricing_timeout_s=0.2) as service:
        await service.pricing_server.stop(None)
        error = await refusal_of(service.send())
        assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "PRICING_UNAVAILABLE")
        assert error.retry_after is not None
        answers = await service.batch([message(), message()])
        assert [answers[n].error.reason for n in range(2)] == ["PRICING_UNAVAILABLE"] * 2
        assert answers[0].error.code == grpc.StatusCode.UNAVAILABLE.value[0]
        assert answers[0].error.retry_delay.seconds > 0
        await assert_untouched(service, database_url)


async def test_without_a_carrier_nothing_that_is_due_is_sent(service: Running, database_url: str) -> None:
    service.carrier.go_down()
    error = await refusal_of(service.send())
    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "CARRIER_UNAVAILABLE")
    assert error.retry_after is not None
    await assert_untouched(service, database_url)
    time = Timestamp()
    time.GetCurrentTime()
    time.seconds += 3_600
    assert (await service.send(scheduled_time=time)).entry.delivery_state == pb.DELIVERY_STATE_SCHEDULED
    service.carrier.come_up()
    assert (await service.send()).entry.status == pb.SMS_STATUS_SENT


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(tmp_path / "data", fsync=False) as server:
        await server.create_database("messaging")
        yield server


async def test_without_the_database_every_call_says_so_until_it_is_back(own_server: EmbeddedPostgres) -> None:
    url = own_server.url("messaging")
    await asyncio.to_thread(migrate, url)
    async with service_on(url, pool_timeout_s=0.1) as service:
        await until_serving(service)
        entry = (await service.send()).entry
        await own_server.stop()
        some = entry.outbox_id
        for call in (
            service.send(message_id="during"),
            service.entry(some),
            service.entries(),
            service.money(),
            service.sms.ResendSms(pb.ResendSmsRequest(outbox_id=some)),
            service.sms.CancelSms(pb.CancelSmsRequest(outbox_id=some)),
        ):
            error = await refusal_of(call)
            assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
            assert error.retry_after is not None
            assert "socket" not in error.message
        answers = await service.batch([message(), message(message="")])
        assert [answers[n].error.reason for n in range(2)] == ["DATABASE_UNAVAILABLE", "INVALID_ARGUMENT"]
        await until_serving(service, serving=False)
        assert len(service.carrier.submissions) == 1
        await service.all_slots_back()

        await own_server.start()
        await until_serving(service)
        again = await service.send(message_id="during")
        assert (again.replayed, again.entry.status) == (False, pb.SMS_STATUS_SENT)
        assert await service.money() == (-1_200_000, 0)


@pytest.mark.skipif(pgbouncer.SETTING in os.environ, reason="the server knows the sessions of PgBouncer only")
async def test_connections_that_were_cut_while_they_rested_fail_nobody(service: Running, database_url: str) -> None:
    billing = accounts_pb2_grpc.AccountServiceStub(service.channel)

    async def call_all() -> None:
        await billing.VerifyBooks(accounts_pb2.VerifyBooksRequest(), timeout=DEADLINE_S)
        top_up = accounts_pb2.TopUpRequest(
            user_id="user123", amount_micros=1_000_000, reference="one", booked_by="test"
        )
        await billing.TopUp(top_up, timeout=DEADLINE_S)

    await billing.OpenAccount(
        accounts_pb2.OpenAccountRequest(user_id="user123", mode=accounts_pb2.ACCOUNT_MODE_PREPAID), timeout=DEADLINE_S
    )
    await call_all()
    cut = "SELECT application_name, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ANY(%s)"
    names = ["messaging-billing", "messaging-reports"]
    assert {row[0] for row in await rows(database_url, cut, (names,))} == set(names)
    await call_all()


async def test_a_database_without_migrations_is_not_served_until_it_has_them(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    async with service_on(url) as service:
        await until_serving(service, serving=False)
        error = await refusal_of(service.send())
        assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "DATABASE_NOT_READY")
        assert "tukupay-sms migrate" in error.message
        assert (await refusal_of(service.entries())).reason == "DATABASE_NOT_READY"
        await asyncio.to_thread(migrate, url)
        await until_serving(service)
        assert (await service.send()).entry.status == pb.SMS_STATUS_SENT


SECRET = "INSERT INTO message (text) VALUES ('Your OTP is 987654', '" + RECIPIENT + "')"


class Broken:
    """An outbox whose calls fail in a way that nobody foresaw, with words that nobody should read."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    async def accept(self, batch: Sequence[Acceptance]) -> Sequence[Accepted | ServiceError]:
        raise RuntimeError(SECRET)

    async def get(self, message_id: UUID, accounts: Accounts) -> Message | None:
        raise RuntimeError(SECRET)

    async def list(self, wanted: ListFilter, limit: int, after: tuple[datetime, UUID] | None) -> Sequence[Message]:
        raise RuntimeError(SECRET)


async def test_a_failure_that_nobody_foresaw_says_nothing_of_itself(database_url: str) -> None:
    async with service_on(database_url, outbox=lambda outbox: Broken(outbox)) as service:  # noqa: PLW0108 - a port
        for call in (service.send(), service.entry("outbox_" + "0" * 32), service.entries()):
            with pytest.raises(aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            assert str(caught.value.details()).startswith("internal error, reference ")
            shown = f"{caught.value.details()} {caught.value.trailing_metadata()!r}"
            for word in ("INSERT", "OTP", "987654", RECIPIENT, "RuntimeError"):
                assert word not in shown
        answers = await service.batch([message(), message(sender_id="")])
        assert (answers[0].error.code, answers[0].error.reason) == (13, "INTERNAL")
        for word in ("INSERT", "987654", RECIPIENT):
            assert word not in str(answers[0])
        assert answers[1].error.reason == "INVALID_ARGUMENT"
        assert service.carrier.submissions == []
        await service.all_slots_back()


def as_logged(entries: Sequence[Any]) -> str:
    """Log entries as the service writes them: tracebacks without local variables."""
    tracebacks = ["".join(traceback.format_exception(entry["exc_info"])) for entry in entries if "exc_info" in entry]
    return f"{entries} {tracebacks}"


async def test_a_row_that_the_database_refuses_shows_neither_in_the_answer_nor_in_the_log(
    service: Running, database_url: str
) -> None:
    # A rule that the code does not know of: PostgreSQL's own words then quote the whole row.
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE message ADD CONSTRAINT surprise CHECK (sender_id <> 'CANARY')")
    try:
        with pytest.raises(aio.AioRpcError) as caught, capture_logs() as logged:
            await service.send(sender_id="CANARY", message="Your OTP is 987654.", custom_data_json='{"key": "s3cr3t"}')
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        with capture_logs() as logged_by_batch:
            answers = await service.batch([message(sender_id="CANARY", message="Your OTP is 987654."), message()])
        assert answers[0].error.reason == "INTERNAL"
        assert answers[1].response.entry.status == pb.SMS_STATUS_SENT
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("ALTER TABLE message DROP CONSTRAINT surprise")
    shown = as_logged([*logged, *logged_by_batch]) + str(caught.value.details()) + str(answers[0])
    assert "surprise" in shown
    for word in ("987654", RECIPIENT, "s3cr3t"):
        assert word not in shown


async def test_a_carrier_that_breaks_leaves_the_outcome_open(service: Running) -> None:
    def broken(_: object) -> Any:
        raise RuntimeError("bug")

    service.carrier.answer = broken
    answer = await service.sms.SendSms(message(outcome_wait={"nanos": 1_000_000}))
    assert answer.entry.delivery_state == pb.DELIVERY_STATE_SUBMITTING
    await service.all_slots_back()
