"""Texts end when their retention is over, by account; their costs stay, and so do texts that are still to be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from messaging_service.privacy.postgres.postgres_retention import PostgresRetention
from messaging_service.privacy.text_retention import SetTextRetention, TextTerm
from service_kit.audit.actor import PLATFORM
from service_kit.errors import ServiceError
from service_kit.postgres.database import Pool
from tests.contract.sms_examples import acceptance, accepted
from tests.integration.messaging.conftest import WINDOWS, MakeOutbox, receipt, record, sent, stored
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica
from tests.system.sealing import sealed_contents

TEXT = "Your code is 84210973."
AGE = "UPDATE message SET created_at = created_at - interval '40 days'"


async def test_the_oldest_texts_of_an_account_go_and_their_costs_stay(
    make_outbox: MakeOutbox, pool: Pool, database_url: str
) -> None:
    outbox = await make_outbox("here")
    messages = [await sent(outbox, accepted(f"C{n}"), message=TEXT, custom_data_json="{}") for n in range(5)]
    await outbox.receipts.store([receipt(f"C{n}") for n in range(5)])
    await outbox.receipts.work(10)
    await rows(database_url, AGE)
    young = await sent(outbox, accepted(), message=TEXT)
    retention = PostgresRetention(pool, 0)
    assert await retention.terms() == {}
    term = await SetTextRetention(retention)("user123", 30, PLATFORM)
    assert term == TextTerm(30, own=True)
    assert await retention.terms() == {"user123": 30}
    await retention.erase_texts("user123", 30, 2)
    steps = [await retention.erase_texts("user123", 30, 2) for _ in range(3)]
    assert steps == [(2, True), (2, True), (1, False)]
    assert await retention.erase_texts("user123", 30, 2) == (0, False)
    for message in messages:
        found = await stored(outbox, message.id)
        assert (found.text, found.custom_data_json, found.is_text_erased) == ("", None, True)
        assert (found.total, found.recipient) == (message.total, message.recipient)
    assert (await stored(outbox, young.id)).text == TEXT
    words = await rows(database_url, "SELECT count(*) FROM message_event WHERE raw IS NOT NULL")
    assert words == [(1,)], "those of the young one"
    assert await rows(database_url, "SELECT count(*) FROM receipt WHERE raw <> ''") == [(0,)]


async def test_a_message_that_is_still_to_be_sent_keeps_its_text(
    make_outbox: MakeOutbox, pool: Pool, database_url: str
) -> None:
    outbox = await make_outbox("here")
    first, waiting = await sent(outbox, accepted(), message=TEXT), await record(outbox, acceptance(message=TEXT))
    await rows(database_url, AGE)
    retention = PostgresRetention(pool, 30)
    await retention.erase_texts("user123", 30, 10)
    assert await retention.erase_texts("user123", 30, 10) == (1, False)
    assert (await stored(outbox, first.id)).is_text_erased
    assert (await stored(outbox, waiting.id)).text == TEXT
    await outbox.cancel(waiting.id, None)
    assert await retention.erase_texts("user123", 30, 10) == (1, False)


async def test_the_key_of_a_month_is_destroyed_with_its_last_text_and_not_before(
    sealed: Replica, pool: Pool, keys: Path, database_url: str
) -> None:
    waiting = await record(sealed, acceptance(message=TEXT))
    await rows(database_url, "UPDATE data_key SET month = month - interval '3 months' WHERE month IS NOT NULL")
    await rows(database_url, "UPDATE message SET created_at = created_at - interval '3 months'")
    forever, month = PostgresRetention(pool, 0), PostgresRetention(pool, 30)
    assert await forever.destroy_keys(10) == 0
    assert await month.destroy_keys(10) == 0, "a message of the month is still to be sent"
    await sealed.cancel(waiting.id, None)
    assert await month.destroy_keys(10) == 1
    assert await rows(database_url, "SELECT count(*) FROM data_key WHERE wrapped IS NULL") == [(1,)]
    later = Replica(pool, "later", WINDOWS, contents=sealed_contents(pool, keys))
    assert (await stored(later, waiting.id)).is_text_erased


async def test_a_term_is_checked_and_on_record(make_outbox: MakeOutbox, pool: Pool, database_url: str) -> None:
    outbox = await make_outbox("here")
    await record(outbox, acceptance())
    use_case = SetTextRetention(PostgresRetention(pool, 90))
    with pytest.raises(ServiceError, match="ACCOUNT_NOT_FOUND"):
        await use_case("nobody", 30, PLATFORM)
    with pytest.raises(ServiceError, match="days"):
        await use_case("user123", 0, PLATFORM)
    assert await use_case("user123", 30, PLATFORM) == TextTerm(30, own=True)
    assert await use_case("user123", None, PLATFORM) == TextTerm(90, own=False)
    log = await rows(database_url, "SELECT action, account, before, after FROM audit_entry ORDER BY id")
    assert log[0] == (
        "account.text_retention_set",
        "user123",
        {"text_retention_days": None},
        {"text_retention_days": 30},
    )
