"""What every suppression list, with the outbox and the inbox around it, must do; in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from messaging_service.accounts.account_store import AccountStore
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.domain.opt_out_keywords import Keywords
from messaging_service.opt_outs.domain.suppression import Exemption, Scope, Source, Suppression
from messaging_service.opt_outs.inbound_inbox import InboundInbox
from messaging_service.opt_outs.postgres.postgres_inbound import PostgresInbound
from messaging_service.opt_outs.postgres.postgres_suppressions import PostgresSuppressions
from messaging_service.opt_outs.suppression_store import NewSuppression, Stopped, SuppressionFilter, Suppressions
from messaging_service.sending.outbox import Accepted, Claim, Outbox
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox, Windows
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import Billing, State
from service_kit.audit.actor import PLATFORM
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import create_pool
from tests.conftest import DatabaseTemplate
from tests.contract.sms_examples import ACCOUNT, RECIPIENT, acceptance, accepted, not_taken, refused, settlement
from tests.doubles.in_memory_accounts import InMemoryAccounts
from tests.doubles.in_memory_outbox import LEASE_S, MARGIN_S, QUEUE_S, UNKNOWN_S, Book, InMemoryOutbox
from tests.doubles.in_memory_suppressions import InMemoryInbound, InMemorySuppressions
from tests.system.messaging_database import empty_database

OTP = Exemption(frozenset({"otp"}))
LATER = datetime.now(UTC) + timedelta(days=2)


@dataclass
class World:
    """The parts that share one database, or one book."""

    outbox: Outbox
    accounts: AccountStore
    list: Suppressions
    inbox: InboundInbox

    async def send(self, **changes: Any) -> Accepted | ServiceError:
        (answer,) = await self.outbox.accept([acceptance(**changes)])
        return answer

    async def sent(self, **changes: Any) -> Message:
        answer = await self.send(**changes)
        assert isinstance(answer, Accepted), answer
        return answer.message

    async def refusal(self, **changes: Any) -> ServiceError:
        answer = await self.send(**changes)
        assert isinstance(answer, ServiceError)
        assert (answer.kind, answer.reason) == (Kind.FAILED_PRECONDITION, "RECIPIENT_OPTED_OUT")
        return answer

    async def opt_out(
        self, sender_id: str | None = "TUKUPAY", account_id: str | None = None, source: Source = Source.OPERATOR
    ) -> Suppression:
        new = NewSuppression(uuid7(), Scope(RECIPIENT, sender_id, account_id), source, "asked by letter", "amina")
        return (await self.list.add(new, actor=PLATFORM)).suppression

    async def stop(self, entry: Suppression) -> Stopped:
        return await self.list.stop_queued([entry.id], 5.0)

    async def wrote(self, text: str, sender_id: str = "TUKUPAY", *, is_opt_out: bool = False) -> None:
        await self.inbox.store([InboundMessage("smpp", RECIPIENT, sender_id, text, is_opt_out, datetime.now(UTC))])
        assert (await self.inbox.work(10)).looked_at == 1

    async def message(self, message: Message) -> Message:
        found = await self.outbox.get(message.id, None)
        assert found is not None
        return found

    async def held(self, account_id: str = ACCOUNT) -> Decimal:
        account = await self.accounts.account(account_id)
        assert account is not None
        return account.held


@pytest.fixture(params=["in memory", "PostgreSQL"])
async def world(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate
) -> AsyncIterator[World]:
    if request.param == "in memory":
        book = Book(exemption=OTP)
        suppressions = InMemorySuppressions(book)
        yield World(
            InMemoryOutbox(book), InMemoryAccounts(book), suppressions, InMemoryInbound(suppressions, Keywords())
        )
        return
    url = empty_database(postgres_server, database_template)
    async with create_pool(url, "contract", max_size=4) as pool:
        windows = Windows(lease_s=LEASE_S, margin_s=MARGIN_S, unknown_s=UNKNOWN_S, queue_s=QUEUE_S)
        yield World(
            PostgresOutbox(pool, "here", windows, OTP),
            PostgresAccountStore(pool),
            PostgresSuppressions(pool, "here", OTP),
            PostgresInbound(pool, Keywords(), uuid7, 3_600),
        )


async def test_a_message_to_somebody_who_opted_out_leaves_no_trace(world: World) -> None:
    await world.opt_out()
    error = await world.refusal(message_id="order-1")
    assert "TUKUPAY" in error.message
    assert RECIPIENT not in str(error)
    assert await world.accounts.account(ACCOUNT) is None
    # The message id is not used up either.
    await world.sent(message_id="order-1", recipient_phone_number="+254700000001")


@pytest.mark.parametrize(
    ("sender_id", "account_id", "stopped"),
    [
        ("TUKUPAY", None, {("TUKUPAY", "a"), ("TUKUPAY", "b"), ("TukuPay", "a")}),
        ("TUKUPAY", "a", {("TUKUPAY", "a"), ("TukuPay", "a")}),
        (
            None,
            "a",
            {("TUKUPAY", "a"), ("OTHER", "a"), ("TukuPay", "a"), ("254711000222", "a"), ("+254711000222", "a")},
        ),
        ("+254711000222", None, {("254711000222", "a"), ("+254711000222", "a")}),
    ],
)
async def test_an_entry_stops_its_senders_and_accounts_and_no_others(
    world: World, sender_id: str | None, account_id: str | None, stopped: set[tuple[str, str]]
) -> None:
    await world.opt_out(sender_id, account_id)
    tried = [
        ("TUKUPAY", "a"),
        ("TUKUPAY", "b"),
        ("OTHER", "a"),
        ("TukuPay", "a"),
        ("254711000222", "a"),
        ("+254711000222", "a"),
    ]
    answers = await world.outbox.accept([acceptance(sender_id=sender, user_id=account) for sender, account in tried])
    refused_now = {pair for pair, answer in zip(tried, answers, strict=True) if isinstance(answer, ServiceError)}
    assert refused_now == stopped
    for sender, account in tried:
        assert bool(await world.list.covering(RECIPIENT, sender, account)) == ((sender, account) in stopped)
    assert not await world.list.covering("+254700000001", "TUKUPAY", "a")


async def test_one_opted_out_recipient_fails_alone_in_a_batch(world: World) -> None:
    await world.opt_out()
    others = [acceptance(recipient_phone_number=f"+25470000000{digit}") for digit in range(4)]
    answers = await world.outbox.accept([*others[:2], acceptance(), *others[2:]])
    assert [isinstance(answer, Accepted) for answer in answers] == [True, True, False, True, True]
    assert await world.held() == 4 * Decimal("0.6")


async def test_a_repetition_answers_with_the_entry_that_was_accepted_before(world: World) -> None:
    before = await world.sent(message_id="order-1", claimed=True)
    await world.opt_out()
    again = await world.send(message_id="order-1")
    assert isinstance(again, Accepted)
    assert (again.replayed, again.message.id) == (True, before.id)


async def test_exempt_messages_are_sent_and_stay_in_the_queue(world: World) -> None:
    waiting = await world.sent(tags=["login", "otp"], scheduled_time=LATER)
    entry = await world.opt_out()
    assert (await world.stop(entry)).messages == 0
    await world.sent(tags=["otp"])
    await world.refusal(tags=["OTP"])
    assert (await world.message(waiting)).state is State.SCHEDULED


async def test_what_waits_in_the_queue_is_cancelled_and_its_hold_released(world: World) -> None:
    scheduled = await world.sent(scheduled_time=LATER)
    ready = await world.sent(user_id="another")
    other_sender = await world.sent(sender_id="OTHER")
    stopped = await world.stop(await world.opt_out())
    assert stopped == Stopped(2, complete=True)
    for message in (scheduled, ready):
        now = await world.message(message)
        assert (now.state, now.billing, now.error_code) == (State.CANCELLED, Billing.RELEASED, "RECIPIENT_OPTED_OUT")
    assert (await world.message(other_sender)).state is State.READY
    assert (await world.held(), await world.held("another")) == (Decimal("0.6"), Decimal(0))
    assert len(await world.outbox.claim(10)) == 1


async def test_a_message_in_flight_is_cancelled_when_it_comes_back_to_the_queue(world: World) -> None:
    message = await world.sent(claimed=True)
    assert await world.stop(await world.opt_out()) == Stopped(0, complete=False)
    await world.outbox.settle([settlement(Claim(message, 1, 0, 0.0), not_taken(), retry_in_s=0)])
    # Not even another carrier gets it, although that would be its turn at once.
    assert not await world.outbox.claim(10)
    assert await world.list.stop_pending(10, 5.0) == Stopped(1, complete=True)
    assert (await world.message(message)).error_code == "RECIPIENT_OPTED_OUT"
    assert await world.held() == 0
    assert await world.list.stop_pending(10, 5.0) == Stopped(0, complete=True)


async def test_a_message_that_the_carrier_took_meanwhile_is_charged_as_ever(world: World) -> None:
    message = await world.sent(claimed=True)
    await world.stop(await world.opt_out())
    await world.outbox.settle([settlement(Claim(message, 1, 0, 0.0), accepted())])
    assert await world.list.stop_pending(10, 5.0) == Stopped(0, complete=True)
    now = await world.message(message)
    assert (now.state, now.billing) == (State.ACCEPTED, Billing.CHARGED)


async def test_a_failed_message_is_not_resent_to_somebody_who_opted_out(world: World) -> None:
    message = await world.sent(claimed=True)
    await world.outbox.settle([settlement(Claim(message, 1, 0, 0.0), refused())])
    entry = await world.opt_out()
    with pytest.raises(ServiceError, match="RECIPIENT_OPTED_OUT"):
        await world.outbox.resend(message.id, 3, accounts=None)
    await world.list.end(entry.id, None, Source.OPERATOR, "amina", "asked again", actor=PLATFORM)
    assert (await world.outbox.resend(message.id, 3, accounts=None)).state is State.READY
    assert (await world.stop(await world.opt_out())).messages == 1


async def test_adding_twice_keeps_the_first_entry_and_other_sources_have_their_own(world: World) -> None:
    first = await world.opt_out()
    assert await world.opt_out("tukupay") == first
    assert (await world.opt_out(source=Source.API)).id != first.id
    assert len(await world.list.covering(RECIPIENT, "TUKUPAY", ACCOUNT)) == 2


async def test_an_entry_for_no_account_of_the_caller_does_not_exist(world: World) -> None:
    everywhere = await world.opt_out()
    own = frozenset({ACCOUNT})
    assert await world.list.end(everywhere.id, own, Source.API, "juma", "came back", actor=PLATFORM) is None
    assert await world.list.covering(RECIPIENT, "TUKUPAY", ACCOUNT) == [everywhere]


async def test_an_entry_ends_once_and_is_kept(world: World) -> None:
    entry = await world.opt_out()
    ended = await world.list.end(entry.id, None, Source.API, "juma", "came back", actor=PLATFORM)
    assert ended is not None
    assert ended.ending is not None
    assert (ended.ending.source, ended.ending.by, ended.ending.reason) == (Source.API, "juma", "came back")
    assert await world.list.end(entry.id, None, Source.OPERATOR, "amina", "again", actor=PLATFORM) == ended
    assert await world.list.end(uuid7(), None, Source.OPERATOR, "amina", "no such entry", actor=PLATFORM) is None
    await world.sent()
    newer = await world.opt_out()
    assert list(await world.list.list(SuppressionFilter(), 10, None)) == [newer]
    assert {found.id for found in await world.list.list(SuppressionFilter(with_ended=True), 10, None)} == {
        entry.id,
        newer.id,
    }


async def test_entries_are_listed_newest_first_by_pages_and_filters(world: World) -> None:
    made = [await world.opt_out(sender, account) for sender in ("A1", "B1", None) for account in ("a", "b", None)]
    after, pages = None, []
    while page := await world.list.list(SuppressionFilter(phone=RECIPIENT), 4, after):
        pages.append(list(page))
        after = (page[-1].created_at, page[-1].id)
    assert [len(page) for page in pages] == [4, 4, 1]
    assert sorted(entry.id for page in pages for entry in page) == sorted(entry.id for entry in made)
    assert len(await world.list.list(SuppressionFilter(sender_id="a1"), 10, None)) == 3
    assert len(await world.list.list(SuppressionFilter(account_id="b", sender_id="B1"), 10, None)) == 1
    assert not await world.list.list(SuppressionFilter(source=Source.CARRIER), 10, None)
    assert not await world.list.list(SuppressionFilter(phone="+254700000001"), 10, None)


async def test_stop_from_a_phone_is_for_every_account_of_the_sender_and_start_ends_it(world: World) -> None:
    await world.wrote(" stop. ")
    for account_id in (ACCOUNT, "another"):
        await world.refusal(user_id=account_id)
    await world.sent(sender_id="OTHER")
    (entry,) = await world.list.covering(RECIPIENT, "TUKUPAY", ACCOUNT)
    assert (entry.source, entry.created_by, entry.scope.account_id) == (Source.STOP_KEYWORD, "smpp", None)
    await world.wrote("START")
    await world.sent()
    await world.wrote("Start selling maize")
    await world.wrote("ACHA")
    await world.refusal()


async def test_start_ends_what_the_phone_and_the_carrier_said_but_not_what_an_operator_did(world: World) -> None:
    await world.wrote("", is_opt_out=True)
    await world.wrote("STOP")
    await world.opt_out()
    await world.wrote("START", "tukupay")
    (left,) = await world.list.covering(RECIPIENT, "TUKUPAY", ACCOUNT)
    assert left.source is Source.OPERATOR
    await world.refusal()


async def test_start_for_one_sender_leaves_the_stop_for_another(world: World) -> None:
    await world.wrote("STOP", "ONE")
    await world.wrote("STOP", "TWO")
    await world.wrote("UNSTOP", "ONE")
    await world.sent(sender_id="ONE")
    await world.refusal(sender_id="TWO")


async def test_an_opt_out_without_a_sender_is_for_every_sender_until_the_phone_starts_again(world: World) -> None:
    await world.wrote("", "", is_opt_out=True)
    await world.refusal(sender_id="ONE")
    await world.refusal(sender_id="TWO")
    await world.wrote("START", "ONE")
    await world.sent(sender_id="ONE")
