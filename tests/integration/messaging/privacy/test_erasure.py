"""A phone that is erased is nowhere any more, its opt-outs hold, and the books add up as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.domain.opt_out_keywords import Keywords
from messaging_service.opt_outs.domain.suppression import Scope, Source
from messaging_service.opt_outs.postgres.postgres_inbound import PostgresInbound
from messaging_service.opt_outs.postgres.postgres_suppressions import PostgresSuppressions
from messaging_service.opt_outs.suppression_store import NewSuppression, SuppressionFilter
from messaging_service.privacy.erase_phone import Erased, ErasePhone
from messaging_service.privacy.postgres.conversions import MessageConversion
from messaging_service.privacy.postgres.postgres_eraser import PostgresEraser
from messaging_service.shared.postgres.report_turns import ReportBounds, ReportTurns
from service_kit.audit.actor import PLATFORM
from service_kit.errors import ServiceError
from service_kit.postgres.database import Pool
from tests.contract.sms_examples import RECIPIENT, acceptance, accepted, refused
from tests.integration.messaging.conftest import MakeOutbox, receipt, record, sent, stored
from tests.integration.messaging.privacy.conftest import ring
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica
from tests.system.sealing import sealed_contents

OTHER = "+254799999999"
TEXT = "Dear Jane, your code is 84210973."


@pytest.fixture
async def erase(pool: Pool, keys: Path) -> ErasePhone:
    conversion = MessageConversion(pool, ring(pool, keys), settled_s=0)
    await conversion.step(10)
    await conversion.step(10)
    return ErasePhone(PostgresEraser(pool, ring(pool, keys)), lambda _: None)


def suppressions_of(pool: Pool, keys: Path) -> PostgresSuppressions:
    return PostgresSuppressions(pool, "here", contents=sealed_contents(pool, keys))


async def everything(url: str) -> str:
    """All rows of all tables, as text."""
    tables = await rows(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = [row[0] for (table,) in tables for row in await rows(url, f"SELECT t::text FROM {table} t")]
    return "\n".join(found)


async def stop(pool: Pool, keys: Path, phone: str = RECIPIENT) -> None:
    scope = Scope(phone, "TUKUPAY", None)
    await suppressions_of(pool, keys).add(
        NewSuppression(uuid4(), scope, Source.STOP_KEYWORD, "STOP", "smpp"), actor=PLATFORM
    )
    await rows_set(pool, "UPDATE suppression SET pass_due_at = NULL")


async def rows_set(pool: Pool, statement: str) -> None:
    async with pool.connection() as connection:
        await connection.execute(statement.encode())


async def test_a_phone_is_nowhere_once_it_is_erased(
    sealed: Replica, pool: Pool, keys: Path, erase: ErasePhone, database_url: str
) -> None:
    for n in range(3):
        await sent(sealed, accepted(f"C{n}"), message=TEXT, custom_data_json='{"name": "Jane"}', message_id=f"m{n}")
    other = await sent(sealed, accepted("C9"), message=TEXT, recipient_phone_number=OTHER)
    await sealed.receipts.store([receipt(f"C{n}") for n in range(3)] + [receipt("C9", recipient=OTHER)])
    await sealed.receipts.store([receipt("nobody's", ReceiptState.DELIVERED)])
    await sealed.receipts.work(100)
    await rows(database_url, "UPDATE receipt SET next_try_at = NULL")
    inbound = PostgresInbound(pool, Keywords(), uuid4, 60.0, sealed_contents(pool, keys))
    await inbound.store([InboundMessage("smpp", RECIPIENT, "22141", "hello", False, await now(database_url))])
    await inbound.work(10)
    await rows(
        database_url,
        "INSERT INTO recipient_hour (account_id, recipient, hour, messages) VALUES ('user123', %s, now(), 3)",
        (RECIPIENT,),
    )
    block, place = RECIPIENT[:-3], int(RECIPIENT[-3:])
    await rows(
        database_url,
        "INSERT INTO number_block (account_id, block, seen, codes, last_at) VALUES ('user123', %s, %s, %s, now())",
        (block, [7_000 + place, 7_001 + place], [7_000 + place]),
    )
    await stop(pool, keys)
    assert RECIPIENT in await everything(database_url)
    erased = await erase(RECIPIENT, PLATFORM)
    assert await rows(database_url, "SELECT seen, codes FROM number_block") == [([7_001 + place], [])]
    assert erased == Erased(
        messages=3, receipts=4, inbound_messages=1, counts=2, suppressions=1, open_messages=0, waiting=0
    )
    left = await everything(database_url)
    assert RECIPIENT not in left
    assert RECIPIENT[1:] not in left
    found = await stored(sealed, other.id)
    assert (found.recipient, found.text) == (OTHER, TEXT)
    again = await erase(RECIPIENT, PLATFORM)
    assert again == Erased(
        messages=0, receipts=0, inbound_messages=0, counts=0, suppressions=0, open_messages=0, waiting=0
    )
    log = await rows(database_url, "SELECT subject, after FROM audit_entry WHERE action = 'phone.erased' ORDER BY id")
    assert len(log) == 2
    assert log[0][0].startswith("#")
    assert log[0][1] == {"messages": 3, "receipts": 4, "open": 0, "waiting": 0}


async def test_costs_stay_and_the_books_verify_after_an_erasure(sealed: Replica, pool: Pool, erase: ErasePhone) -> None:
    message = await sent(sealed, accepted(), message=TEXT, message_id="m1")
    await sent(sealed, refused(), message=TEXT)
    books = PostgresLedgerStore(pool, ReportTurns(pool, ReportBounds()))
    before = await books.verify(None, 10)
    assert (await erase(RECIPIENT, PLATFORM)).messages == 2
    assert await books.verify(None, 10) == before
    found = await stored(sealed, message.id)
    assert (found.recipient, found.text, found.custom_data_json, found.is_text_erased) == ("", "", None, True)
    assert (found.total, found.units, found.client_message_id) == (message.total, message.units, "m1")
    assert found.created_at == message.created_at


async def test_stop_holds_after_an_erasure_and_start_ends_it(
    sealed: Replica, pool: Pool, keys: Path, erase: ErasePhone, database_url: str
) -> None:
    await sent(sealed, accepted(), message=TEXT)
    await stop(pool, keys)
    await erase(RECIPIENT, PLATFORM)
    (answer,) = await sealed.accept([acceptance()])
    assert isinstance(answer, ServiceError)
    assert answer.reason == "RECIPIENT_OPTED_OUT"
    suppressions = suppressions_of(pool, keys)
    (holding,) = await suppressions.covering(RECIPIENT, "TUKUPAY", "user123")
    assert holding.scope.phone.startswith("#")
    assert len(await suppressions.list(SuppressionFilter(phone=RECIPIENT), 10, None)) == 1
    await stop(pool, keys)
    assert (await erase(RECIPIENT, PLATFORM)).suppressions == 0
    assert len(await suppressions.covering(RECIPIENT, "TUKUPAY", "user123")) == 1
    inbound = PostgresInbound(pool, Keywords(), uuid4, 60.0, sealed_contents(pool, keys))
    await inbound.store([InboundMessage("smpp", RECIPIENT, "TUKUPAY", "START", False, await now(database_url))])
    assert (await inbound.work(10)).opted_in == 1
    (allowed,) = await sealed.accept([acceptance()])
    assert not isinstance(allowed, ServiceError)


async def test_what_a_phone_wrote_is_under_a_key_until_it_is_worked(pool: Pool, keys: Path, database_url: str) -> None:
    inbound = PostgresInbound(pool, Keywords(), uuid4, 60.0, sealed_contents(pool, keys))
    await inbound.store([InboundMessage("smpp", RECIPIENT, "TUKUPAY", "STOP", False, await now(database_url))])
    ((stored_text,),) = await rows(database_url, "SELECT text FROM inbound_message")
    assert stored_text.startswith("sealed:1:")
    assert (await inbound.work(10)).opted_out == 1
    assert await rows(database_url, "SELECT text, directive FROM inbound_message") == [(None, "opt_out")]


async def test_open_messages_wait_and_are_erased_once_they_have_ended(
    sealed: Replica, erase: ErasePhone, database_url: str
) -> None:
    message = await record(sealed, acceptance(message=TEXT))
    first = await erase(RECIPIENT, PLATFORM)
    assert (first.messages, first.open_messages) == (0, 1)
    assert (await stored(sealed, message.id)).text == TEXT
    await sealed.cancel(message.id, None)
    second = await erase(RECIPIENT, PLATFORM)
    assert (second.messages, second.open_messages) == (1, 0)
    assert RECIPIENT not in await everything(database_url)


async def test_a_young_message_in_plain_is_counted_as_open(
    make_outbox: MakeOutbox, erase: ErasePhone, pool: Pool, keys: Path
) -> None:
    await sent(await make_outbox("before"), accepted(), message=TEXT)
    first = await erase(RECIPIENT, PLATFORM)
    assert (first.messages, first.open_messages) == (0, 1)
    await MessageConversion(pool, ring(pool, keys), settled_s=0).step(10)
    second = await erase(RECIPIENT, PLATFORM)
    assert (second.messages, second.open_messages) == (1, 0)


async def test_a_message_that_was_erased_is_not_resent(sealed: Replica, erase: ErasePhone) -> None:
    message = await sent(sealed, refused(), message=TEXT)
    await erase(RECIPIENT, PLATFORM)
    with pytest.raises(ServiceError, match="TEXT_ERASED"):
        await sealed.resend(message.id, 3, accounts=None)


async def test_nothing_is_erased_before_every_message_can_be_found(pool: Pool, keys: Path, database_url: str) -> None:
    not_caught_up = ErasePhone(PostgresEraser(pool, ring(pool, keys)), lambda _: None)
    with pytest.raises(ServiceError, match="CONVERSION_UNFINISHED"):
        await not_caught_up(RECIPIENT, PLATFORM)
    with pytest.raises(ServiceError, match="KEYS_NOT_SET"):
        await ErasePhone(PostgresEraser(pool, None), lambda _: None)(RECIPIENT, PLATFORM)
    with pytest.raises(ServiceError, match="phone_number"):
        await ErasePhone(PostgresEraser(pool, None), lambda _: "is no phone")("254", PLATFORM)
    assert await rows(database_url, "SELECT count(*) FROM audit_entry") == [(0,)]


async def now(url: str) -> Any:
    ((instant,),) = await rows(url, "SELECT now()")
    return instant
