"""The references of payments over gRPC: one payment is credited once, in whatever account and spelling."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from grpc import aio

from messaging_service.accounts.domain.references import reference_key
from messaging_service.migrations import MIGRATIONS
from messaging_service.wiring.messaging_tables import metadata
from messaging_service.wiring.migrate import migrate
from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.postgres.migrations import upgrade
from tests.conftest import FreshDatabase
from tests.integration.messaging.accounts.billing_calls import KES, Billing
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import rows, until_found
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

pytestmark = pytest.mark.timeout(60)

RECEIPT = "QK126766213"


@pytest.fixture
async def billing(service: Running) -> Billing:
    billing = Billing(service)
    for user in ("user123", "other"):
        await billing.open(user)
    return billing


async def top_up(billing: Billing, reference: str, user: str = "user123", **fields: Any) -> pb.TopUpResponse:
    request: dict[str, Any] = {"user_id": user, "amount_micros": KES, "reference": reference, "booked_by": "wanjiru"}
    return await billing.stub.TopUp(pb.TopUpRequest(**request | fields))


async def balance(billing: Billing, user: str = "user123") -> int:
    return (await billing.terms(user)).posted_micros // KES


@pytest.mark.parametrize("spelled", ["qk126766213", f"{RECEIPT} ", f" {RECEIPT}", "ＱＫ１２６７６６２１３"])
async def test_a_spelling_that_says_the_same_is_a_repetition(billing: Billing, spelled: str) -> None:
    first = await top_up(billing, RECEIPT)
    again = await top_up(billing, spelled)
    assert (again.replayed, again.entry) == (True, first.entry)
    error = await refusal_of(top_up(billing, spelled, amount_micros=2 * KES))
    assert (error.reason, error.metadata["entry_id"]) == ("REFERENCE_REUSED", str(first.entry.entry_id))
    assert await balance(billing) == 1


@pytest.mark.parametrize("spelled", ["QK12-6766213", "QK12 6766213", "QK126766213.", "qk/126766213"])
async def test_a_reference_that_differs_in_punctuation_only_is_neither_booked_nor_taken_for_the_same(
    billing: Billing, spelled: str
) -> None:
    await top_up(billing, RECEIPT)
    error = await refusal_of(top_up(billing, spelled))
    assert error.reason == "REFERENCE_REUSED"
    assert "in spaces or punctuation only" in error.message
    assert await balance(billing) == 1


@pytest.mark.parametrize("spelled", ["Q\u039a126766213", "\u0421K126766213", "QK\u0661\u0662"], ids=["Κ", "С", "١٢"])
async def test_letters_that_only_look_latin_are_refused_by_name(billing: Billing, spelled: str) -> None:
    (violation,) = (await refusal_of(top_up(billing, spelled))).violations
    assert (violation.field, violation.reason) == ("reference", "INVALID_TEXT")
    assert "write it with Latin letters and the digits 0 to 9" in violation.description


async def test_a_reference_of_another_account_is_refused_and_the_account_is_named_to_the_operator(
    billing: Billing,
) -> None:
    booked = await top_up(billing, RECEIPT)
    for spelled in (RECEIPT, "qk12 6766213"):
        error = await refusal_of(top_up(billing, spelled, "other"))
        assert (error.reason, error.metadata["account"]) == ("REFERENCE_REUSED", "user123")
        assert error.metadata["entry_id"] == str(booked.entry.entry_id)
        assert "user123" not in error.message
    assert await balance(billing, "other") == 0


async def test_callers_at_once_credit_one_account_once(billing: Billing) -> None:
    spellings = [RECEIPT, RECEIPT.lower(), f"{RECEIPT} ", "QK12-6766213"]
    calls = [
        asyncio.ensure_future(top_up(billing, spelled, user))
        for user in ("user123", "other")
        for spelled in spellings
        for _ in range(3)
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    booked = [each for each in outcomes if isinstance(each, pb.TopUpResponse)]
    assert sum(not each.replayed for each in booked) == 1
    failed = [from_rpc_error(each) for each in outcomes if isinstance(each, aio.AioRpcError)]
    assert {failure.reason for failure in failed if failure is not None} == {"REFERENCE_REUSED"}
    assert None not in failed
    assert await balance(billing) + await balance(billing, "other") == 1


async def test_whoever_comes_second_waits_for_the_one_who_books(billing: Billing, database_url: str) -> None:
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with await psycopg.AsyncConnection.connect(database_url) as first:
        # As a booking in another account does, up to its commit.
        await first.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 20))", (reference_key(RECEIPT),))
        entry = await first.execute(
            "INSERT INTO ledger_entry (account_id, kind, amount, reference) "
            "VALUES ('user123', 'top_up', 1, %s) RETURNING id",
            (RECEIPT,),
        )
        row = await entry.fetchone()
        assert row is not None
        await first.execute("UPDATE account SET posted = posted + 1 WHERE id = 'user123'")
        await first.execute(
            "INSERT INTO payment_reference (entry_id, key) VALUES (%s, %s)", (row[0], reference_key(RECEIPT))
        )
        second = asyncio.ensure_future(top_up(billing, RECEIPT, "other"))
        async with asyncio.timeout(20):
            await until_found(database_url, waits)
    assert (await refusal_of(second)).reason == "REFERENCE_REUSED"


async def test_an_operator_overrides_with_a_reason_that_stays_on_record(billing: Billing) -> None:
    first = await top_up(billing, RECEIPT)
    await top_up(billing, "QK-2")
    refused = top_up(billing, RECEIPT, "other", override_reason="", booked_by="")
    assert [violation.field for violation in (await refusal_of(refused)).violations] == ["booked_by", "override_reason"]
    why = "the bank numbers anew each year"
    second = await top_up(billing, RECEIPT, "other", override_reason=why)
    third = await top_up(billing, "QK12-6766213", override_reason=why)
    assert (second.replayed, third.replayed, second.entry.reason) == (False, False, why)
    assert (await top_up(billing, RECEIPT, "other")).replayed
    # The very reference of the account stands for its payment, whoever says what.
    assert (await top_up(billing, RECEIPT, override_reason=why)).entry == first.entry
    assert [await balance(billing, user) for user in ("user123", "other")] == [3, 1]
    for asked in ({}, {"user_id": "other"}):
        verified = await billing.stub.VerifyBooks(pb.VerifyBooksRequest(**asked))
        (shared,) = verified.shared_references
        assert list(shared.entries) == [first.entry, second.entry, third.entry]
        assert not verified.faults


async def test_corrections_may_have_the_same_reference_in_every_account(billing: Billing) -> None:
    await top_up(billing, RECEIPT)
    for user in ("user123", "other"):
        assert not (await billing.adjust(1, user_id=user, reference="2026-11 goodwill")).replayed
    error = await refusal_of(billing.adjust(1, reference=RECEIPT))
    assert error.reason == "REFERENCE_REUSED"


def test_payments_on_record_keep_their_references_and_those_shared_are_marked(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    upgrade(url, MIGRATIONS, metadata, "0019")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO account (id) VALUES ('one'), ('two')")
        for account, reference in (("one", "QK1"), ("two", "qk-1"), ("one", "QK2"), ("two", "---"), ("one", "qk1 ")):
            connection.execute(
                "INSERT INTO ledger_entry (account_id, kind, amount, reference) VALUES (%s, 'top_up', 1, %s)",
                (account, reference),
            )
    migrate(url)
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT l.reference, p.key, p.is_shared FROM payment_reference p "
            "JOIN ledger_entry l ON l.id = p.entry_id ORDER BY l.id"
        ).fetchall()
    assert found == [
        ("QK1", "qk1", False),
        ("qk-1", "qk1", True),
        ("QK2", "qk2", False),
        ("---", "---", False),
        ("qk1 ", "qk1", True),
    ]


async def test_what_was_booked_before_a_reference_counted_everywhere_is_listed(
    billing: Billing, database_url: str
) -> None:
    first, second = await top_up(billing, "A1"), await top_up(billing, "A2", "other")
    await rows(
        database_url,
        "UPDATE payment_reference SET key = 'a1', is_shared = true WHERE entry_id = %s",
        (second.entry.entry_id,),
    )
    (shared,) = (await billing.stub.VerifyBooks(pb.VerifyBooksRequest())).shared_references
    assert list(shared.entries) == [first.entry, second.entry]
