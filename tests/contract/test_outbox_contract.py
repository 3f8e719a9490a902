"""What every outbox does: the real one in PostgreSQL, and the dictionaries that other tests use in its place."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from messaging_service.accounts.account_store import AccountStore
from messaging_service.accounts.domain.account import Account, AccountMode, AccountStatus, UnknownAccounts
from messaging_service.carriers.domain.submission import Outcome
from messaging_service.privacy.sealing.message_contents import PLAIN
from messaging_service.sending.outbox import Acceptance, Accepted, Claim, ListFilter, Outbox, Settled
from messaging_service.sending.postgres.postgres_outbox import Rules, Windows
from messaging_service.shared.domain.message import Message, outbox_id
from messaging_service.shared.domain.states import Billing, Priority, State, Status
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import create_pool
from tests.conftest import DatabaseTemplate
from tests.contract.sms_examples import (
    ACCOUNT,
    PRICE,
    TWO_UNITS,
    acceptance,
    accepted,
    not_taken,
    refused,
    settlement,
    unanswered,
)
from tests.doubles.in_memory_accounts import InMemoryAccounts
from tests.doubles.in_memory_outbox import LEASE_S, MARGIN_S, QUEUE_S, UNKNOWN_S, Book, InMemoryOutbox
from tests.system.messaging_database import empty_database, pass_time, rows
from tests.system.messaging_replica import Replica as PostgresReplica
from tests.system.sealing import key_file, sealed_contents

WINDOWS = Windows(lease_s=LEASE_S, margin_s=MARGIN_S, unknown_s=UNKNOWN_S, queue_s=QUEUE_S)
Transition = tuple[int, str | None, str, str | None]


class Replica(Outbox, Protocol):
    """An outbox beside the accounts that it charges."""

    accounts: AccountStore


class InMemoryReplica(InMemoryOutbox):
    def __init__(self, book: Book, owner: str, unknown_accounts: UnknownAccounts) -> None:
        super().__init__(book, owner, unknown_accounts)
        self.accounts: AccountStore = InMemoryAccounts(book)


class World(Protocol):
    """An outbox with the powers that a test needs over it."""

    async def outbox(
        self, owner: str = "here", unknown_accounts: UnknownAccounts = UnknownAccounts.POSTPAID
    ) -> Replica: ...
    async def pass_time(self, seconds: float) -> None: ...
    async def open_account(self, account: Account) -> None: ...
    async def events(self, message_id: UUID) -> list[Transition]: ...
    async def charges(self, account_id: str) -> list[Decimal]: ...


class InMemoryWorld:
    def __init__(self) -> None:
        self.book = Book()

    async def outbox(
        self, owner: str = "here", unknown_accounts: UnknownAccounts = UnknownAccounts.POSTPAID
    ) -> Replica:
        return InMemoryReplica(self.book, owner, unknown_accounts)

    async def pass_time(self, seconds: float) -> None:
        self.book.now += timedelta(seconds=seconds)

    async def open_account(self, account: Account) -> None:
        self.book.accounts[account.id] = account

    async def events(self, message_id: UUID) -> list[Transition]:
        return [
            (event.attempt, event.from_state and event.from_state.value, event.to_state.value, event.code)
            for event in self.book.events
            if event.message_id == message_id
        ]

    async def charges(self, account_id: str) -> list[Decimal]:
        return [amount for account, _, amount in self.book.charges if account == account_id]


class PostgresWorld:
    def __init__(self, url: str, closing: AsyncExitStack, keys: Path | None = None) -> None:
        """`keys`: the file of keys under which texts are stored; None for texts as they are."""
        self._url = url
        self._closing = closing
        self._keys = keys

    async def outbox(
        self, owner: str = "here", unknown_accounts: UnknownAccounts = UnknownAccounts.POSTPAID
    ) -> Replica:
        pool = await self._closing.enter_async_context(create_pool(self._url, owner, max_size=4))
        contents = PLAIN if self._keys is None else sealed_contents(pool, self._keys)
        return PostgresReplica(pool, owner, WINDOWS, rules=Rules(unknown_accounts=unknown_accounts), contents=contents)

    async def pass_time(self, seconds: float) -> None:
        await pass_time(self._url, seconds)

    async def open_account(self, account: Account) -> None:
        await rows(
            self._url,
            "INSERT INTO account (id, mode, status, posted, held, credit_limit) VALUES (%s, %s, %s, %s, %s, %s)",
            (account.id, account.mode, account.status, account.posted, account.held, account.credit_limit),
        )

    async def events(self, message_id: UUID) -> list[Transition]:
        statement = "SELECT attempt, from_state, to_state, code FROM message_event WHERE message_id = %s ORDER BY id"
        return [(row[0], row[1], row[2], row[3]) for row in await rows(self._url, statement, (message_id,))]

    async def charges(self, account_id: str) -> list[Decimal]:
        statement = "SELECT -amount FROM ledger_entry WHERE account_id = %s AND kind = 'charge' ORDER BY id"
        return [row[0] for row in await rows(self._url, statement, (account_id,))]


@pytest.fixture(params=["in memory", "PostgreSQL", "PostgreSQL, texts under keys"])
async def world(
    request: pytest.FixtureRequest,
    postgres_server: EmbeddedPostgres,
    database_template: DatabaseTemplate,
    tmp_path: Path,
) -> AsyncIterator[World]:
    if request.param == "in memory":
        yield InMemoryWorld()
        return
    url = empty_database(postgres_server, database_template)
    async with AsyncExitStack() as closing:
        yield PostgresWorld(url, closing, key_file(tmp_path) if request.param.endswith("keys") else None)


@pytest.fixture
async def outbox(world: World) -> Replica:
    return await world.outbox()


def account(posted: str = "0", **changes: Any) -> Account:
    """A prepaid account."""
    opened = Account(
        ACCOUNT,
        AccountMode.PREPAID,
        AccountStatus.ACTIVE,
        Decimal(posted),
        Decimal(0),
        Decimal(0),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    return dataclasses.replace(opened, **changes)


async def record(outbox: Replica, item: Acceptance) -> Message:
    (answer,) = await outbox.accept([item])
    assert isinstance(answer, Accepted), answer
    assert not answer.replayed
    return answer.message


async def refusal(outbox: Replica, item: Acceptance) -> str:
    (answer,) = await outbox.accept([item])
    assert isinstance(answer, ServiceError), answer
    return answer.reason


async def claim_one(outbox: Replica) -> Claim:
    (claim,) = await outbox.claim(1)
    return claim


async def end(outbox: Replica, claim: Claim, outcome: Outcome, retry_in_s: float = 0.0) -> Settled:
    (settled,) = await outbox.settle([settlement(claim, outcome, retry_in_s)])
    assert isinstance(settled, Settled)
    return settled


async def sent(outbox: Replica, outcome: Outcome, **changes: Any) -> Message:
    """A message that went to the carrier and came to an outcome."""
    item = acceptance(claimed=True, **changes)
    message = await record(outbox, item)
    return (await end(outbox, Claim(message, 1, 0, 0.0), outcome)).message


async def stored(outbox: Replica, message_id: UUID) -> Message:
    message = await outbox.get(message_id, None)
    assert message is not None
    return message


async def money(outbox: Replica, account_id: str = ACCOUNT) -> tuple[Decimal | int, Decimal | int]:
    """Posted and held."""
    found = await outbox.accounts.account(account_id)
    assert found is not None
    return found.posted, found.held


async def reason_of(call: Awaitable[object]) -> str:
    with pytest.raises(ServiceError) as caught:
        await call
    return caught.value.reason


# Accepting.


async def test_an_accepted_message_is_stored_as_it_was_asked_for(outbox: Replica) -> None:
    item = acceptance(
        message=TWO_UNITS + "é",
        message_name="OTP Verification",
        message_id="msg123",
        priority=Priority.HIGH,
        tags=['say "hi"', "back\\slash", "{curly}", "NULL", "Habari, 日本語"],
        custom_data_json='{"purpose": "Account Verification"}',
        app_id="app7",
    )
    message = await record(outbox, item)
    assert (message.id, message.client_message_id) == (item.message_id, "msg123")
    assert (message.units, message.total, message.billing) == (2, Decimal("1.200000"), Billing.HELD)
    assert (message.state, message.status, message.retry_count) == (State.READY, Status.PENDING, 0)
    assert (message.sent_at, message.last_attempt_at, message.error_code) == (None, None, None)
    assert message.tags == item.request.tags
    assert await stored(outbox, message.id) == message


async def test_the_times_that_were_asked_for_are_stored(outbox: Replica) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    item = acceptance(now=datetime.now(UTC), scheduled_time=ahead, expires_time=ahead + timedelta(hours=1))
    message = await record(outbox, item)
    assert (message.scheduled_at, message.expires_at) == (ahead, ahead + timedelta(hours=1))
    assert (message.priced_at, message.price_known_at) == (item.priced_at, item.price_known_at)
    assert await stored(outbox, message.id) == message


async def test_a_message_whose_slot_is_reserved_is_recorded_as_owned(world: World, outbox: Replica) -> None:
    message = await record(outbox, acceptance(claimed=True))
    assert message.state is State.SUBMITTING
    assert message.last_attempt_at == message.created_at
    assert await (await world.outbox("other")).claim(10) == []
    assert await world.events(message.id) == [(1, None, "submitting", None)]


async def test_the_same_request_again_is_answered_with_the_stored_entry(outbox: Replica) -> None:
    message = await record(outbox, acceptance(message_id="msg123"))
    (answer,) = await outbox.accept([acceptance(message_id="msg123")])
    assert answer == Accepted(message, replayed=True)
    assert await money(outbox) == (0, PRICE.unit_price)


async def test_the_same_id_again_finds_its_own_row_and_is_no_repetition(outbox: Replica) -> None:
    item = acceptance(message_id="msg123", claimed=True)
    message = await record(outbox, item)
    assert await outbox.accept([item]) == [Accepted(message, replayed=False)]
    assert await money(outbox) == (0, PRICE.unit_price)


async def test_message_ids_are_the_accounts_own(outbox: Replica) -> None:
    first = await record(outbox, acceptance(message_id="msg123"))
    second = await record(outbox, acceptance(message_id="msg123", user_id="another"))
    assert first.id != second.id


@pytest.mark.parametrize(
    "change",
    [
        {"message": "Something else."},
        {"recipient_phone_number": "+254712345679"},
        {"sender_id": "OTHER"},
        {"message_name": "x"},
        {"priority": Priority.HIGH},
        {"tags": ["x"]},
        {"custom_data_json": "{}"},
        {"app_id": "app7"},
        {"scheduled_time": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_message_id_stands_for_one_request_only(outbox: Replica, change: dict[str, Any]) -> None:
    stored = await record(outbox, acceptance(message_id="msg123"))
    (error,) = await outbox.accept([acceptance(message_id="msg123", **change)])
    assert isinstance(error, ServiceError)
    assert error.reason == "MESSAGE_ID_REUSED"
    assert [(fault.field, fault.reason) for fault in error.violations] == [(name, "DIFFERS") for name in change]
    assert error.metadata == {
        "message_id": "msg123",
        "outbox_id": outbox_id(stored.id),
        "fields": ",".join(change),
    }
    assert outbox_id(stored.id) in error.message
    assert await money(outbox) == (0, PRICE.unit_price)


async def test_an_account_that_nobody_opened_is_refused_where_sending_opens_none(world: World) -> None:
    outbox = await world.outbox(unknown_accounts=UnknownAccounts.REFUSE)
    await world.open_account(account("1"))
    batch = [acceptance(message_id="a", user_id="nobody"), acceptance(message_id="b"), acceptance(user_id="nobody")]
    first, second, third = await outbox.accept(batch)
    assert isinstance(second, Accepted)
    for answer in (first, third):
        assert isinstance(answer, ServiceError)
        assert (answer.kind, answer.reason) == (Kind.NOT_FOUND, "ACCOUNT_NOT_FOUND")
    assert await outbox.accounts.account("nobody") is None
    assert await outbox.get(batch[0].message_id, None) is None
    await world.open_account(dataclasses.replace(account("1"), id="nobody"))
    (again,) = await outbox.accept([batch[0]])
    assert isinstance(again, Accepted)
    assert not again.replayed


async def test_an_account_that_nobody_opened_is_prepaid_where_the_operator_wants_that(world: World) -> None:
    outbox = await world.outbox(unknown_accounts=UnknownAccounts.PREPAID)
    (answer,) = await outbox.accept([acceptance(user_id="new")])
    assert isinstance(answer, ServiceError)
    assert answer.reason == "INSUFFICIENT_FUNDS"
    opened = await outbox.accounts.account("new")
    assert opened is not None
    assert (opened.mode, opened.posted, opened.held) == (AccountMode.PREPAID, Decimal(0), Decimal(0))


@pytest.mark.parametrize("spelled", ['{"a": 100}', "{}", '{"b":1,"a":1e2}'])
async def test_custom_data_that_differs_is_named_however_the_database_spells_it(outbox: Replica, spelled: str) -> None:
    await record(outbox, acceptance(message_id="msg123", custom_data_json='{"a": 1e2}'))
    (error,) = await outbox.accept([acceptance(message_id="msg123", custom_data_json=spelled)])
    assert isinstance(error, ServiceError)
    assert error.metadata["fields"] == "custom_data_json"


async def test_an_account_that_nobody_opened_is_postpaid(outbox: Replica) -> None:
    assert await outbox.accounts.account(ACCOUNT) is None
    await record(outbox, acceptance())
    opened = await outbox.accounts.account(ACCOUNT)
    assert opened is not None
    assert (opened.mode, opened.status) == (AccountMode.POSTPAID, AccountStatus.ACTIVE)
    assert (opened.posted, opened.held) == (Decimal(0), PRICE.unit_price)


async def test_a_prepaid_account_cannot_hold_more_than_it_has(world: World, outbox: Replica) -> None:
    await world.open_account(account("1.199999"))
    assert await refusal(outbox, acceptance(message_id="m", message=TWO_UNITS)) == "INSUFFICIENT_FUNDS"
    assert await money(outbox) == (Decimal("1.199999"), 0)
    # What was refused left no trace: the id is free, for another request too.
    await record(outbox, acceptance(message_id="m"))


async def test_a_credit_limit_can_be_used_to_the_last_micro(world: World, outbox: Replica) -> None:
    await world.open_account(account(credit_limit=Decimal("1.2")))
    await record(outbox, acceptance(message=TWO_UNITS))
    assert await refusal(outbox, acceptance()) == "INSUFFICIENT_FUNDS"


@pytest.mark.parametrize("status", [AccountStatus.SUSPENDED, AccountStatus.CLOSED])
@pytest.mark.parametrize("mode", list(AccountMode))
async def test_an_account_that_is_not_active_sends_nothing(
    world: World, outbox: Replica, status: AccountStatus, mode: AccountMode
) -> None:
    await world.open_account(account("100", status=status, mode=mode))
    assert await refusal(outbox, acceptance()) == "ACCOUNT_NOT_ACTIVE"
    assert await money(outbox) == (100, 0)


async def test_each_item_of_a_batch_has_its_own_result(world: World, outbox: Replica) -> None:
    await world.open_account(account("1.2"))
    items = [
        acceptance(message_id="a"),
        acceptance(message_id="b", user_id="postpaid"),
        acceptance(message_id="c"),
        acceptance(message_id="d"),
        acceptance(message_id="e", user_id="postpaid"),
    ]
    answers = await outbox.accept(items)
    assert [isinstance(answer, Accepted) or answer.reason for answer in answers] == [
        True,
        True,
        True,
        "INSUFFICIENT_FUNDS",
        True,
    ]
    assert [answer.message.id for answer in answers if isinstance(answer, Accepted)] == [
        item.message_id for item in (items[0], items[1], items[2], items[4])
    ]
    assert await money(outbox) == (Decimal("1.2"), Decimal("1.2"))
    assert await money(outbox, "postpaid") == (0, Decimal("1.2"))


async def test_a_batch_may_repeat_itself(outbox: Replica) -> None:
    first = acceptance(message_id="msg123", claimed=True)
    answers = await outbox.accept(
        [first, acceptance(message_id="msg123", claimed=True), acceptance(message_id="msg123", message="Other.")]
    )
    assert isinstance(answers[0], Accepted)
    assert answers[1] == Accepted(answers[0].message, replayed=True)
    assert isinstance(answers[2], ServiceError)
    assert answers[2].reason == "MESSAGE_ID_REUSED"
    assert answers[2].metadata["outbox_id"] == outbox_id(first.message_id)
    assert await money(outbox) == (0, PRICE.unit_price)


async def test_repetitions_inside_a_batch_of_what_is_stored_get_the_stored_entry(outbox: Replica) -> None:
    message = await record(outbox, acceptance(message_id="msg123"))
    answers = await outbox.accept([acceptance(message_id="msg123", message="Other."), acceptance(message_id="msg123")])
    assert isinstance(answers[0], ServiceError)
    assert answers[1] == Accepted(message, replayed=True)


async def test_a_repetition_of_a_refused_item_in_one_batch_is_refused_too(world: World, outbox: Replica) -> None:
    await world.open_account(account("0"))
    answers = await outbox.accept([acceptance(message_id="m"), acceptance(message_id="m")])
    assert [isinstance(answer, ServiceError) and answer.reason for answer in answers] == ["INSUFFICIENT_FUNDS"] * 2


# Claiming.


async def test_a_claim_owns_the_message_under_a_new_epoch(world: World, outbox: Replica) -> None:
    message = await record(outbox, acceptance())
    claim = await claim_one(outbox)
    assert (claim.message.id, claim.epoch, claim.tries) == (message.id, 1, 0)
    assert claim.message.state is State.SUBMITTING
    assert claim.message.last_attempt_at is not None
    assert await stored(outbox, message.id) == claim.message
    assert await (await world.outbox("other")).claim(10) == []


async def test_no_more_is_claimed_than_asked_for_and_the_oldest_goes_first(world: World, outbox: Replica) -> None:
    recorded = []
    for _ in range(5):
        recorded.append((await record(outbox, acceptance())).id)
        await world.pass_time(1)
    first = {claim.message.id for claim in await outbox.claim(2)}
    second = {claim.message.id for claim in await outbox.claim(2)}
    assert (first, second) == (set(recorded[:2]), set(recorded[2:4]))


async def test_a_scheduled_message_waits_for_its_time(world: World, outbox: Replica) -> None:
    now = datetime.now(UTC)
    message = await record(outbox, acceptance(now=now, scheduled_time=now + timedelta(hours=1)))
    assert (message.state, message.status) == (State.SCHEDULED, Status.PENDING)
    assert await outbox.claim(10) == []
    left = await outbox.seconds_to_next_due()
    assert left == pytest.approx(3_600, abs=60)
    await world.pass_time(3_601)
    assert await outbox.seconds_to_next_due() == 0
    assert (await claim_one(outbox)).message.id == message.id
    assert (await world.events(message.id))[1] == (1, "scheduled", "submitting", None)


async def test_a_past_schedule_is_due_now(outbox: Replica) -> None:
    message = await record(outbox, acceptance(scheduled_time=datetime(2024, 12, 20, 12, tzinfo=UTC)))
    assert message.state is State.READY
    assert (await claim_one(outbox)).message.id == message.id


async def test_an_empty_queue_has_no_next_due_time(outbox: Replica) -> None:
    assert await outbox.seconds_to_next_due() is None
    await record(outbox, acceptance(claimed=True))
    assert await outbox.seconds_to_next_due() is None


async def test_what_the_carriers_with_room_may_not_take_is_neither_claimed_nor_due(outbox: Replica) -> None:
    await record(outbox, acceptance())
    elsewhere = dataclasses.replace(settlement(await claim_one(outbox), not_taken()), avoid="one")
    await outbox.settle([elsewhere])
    assert await outbox.claim(1, carriers=["one"]) == []
    assert await outbox.seconds_to_next_due(carriers=["one"]) is None
    assert await outbox.seconds_to_next_due(carriers=["one", "other"]) == 0
    assert len(await outbox.claim(1, carriers=["one", "other"])) == 1


def lanes(claims: Sequence[Claim]) -> tuple[int, int]:
    """How many of the high lane, and how many of the normal one."""
    high = sum(claim.message.priority is Priority.HIGH for claim in claims)
    return high, len(claims) - high


async def flood(outbox: Replica, high: int, normal: int) -> None:
    """Normal messages, then high ones."""
    await outbox.accept([acceptance() for _ in range(normal)])
    await outbox.accept([acceptance(priority=Priority.HIGH) for _ in range(high)])


async def test_the_high_lane_goes_first_and_the_normal_lane_keeps_a_tenth(outbox: Replica) -> None:
    await flood(outbox, high=40, normal=40)
    assert lanes(await outbox.claim(20)) == (18, 2)
    assert lanes(await outbox.claim(20)) == (18, 2)
    assert lanes(await outbox.claim(20)) == (4, 16)
    assert lanes(await outbox.claim(50)) == (0, 20)


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_the_share_holds_also_when_slots_become_free_a_few_at_a_time(outbox: Replica, limit: int) -> None:
    await flood(outbox, high=80, normal=80)
    taken = [claim for _ in range(-(-70 // limit)) for claim in await outbox.claim(limit)]
    high, normal = lanes(taken)
    assert high + normal == len(taken) >= 70
    assert normal == len(taken) // 10


async def test_a_lane_takes_what_the_other_leaves(outbox: Replica) -> None:
    await flood(outbox, high=3, normal=0)
    assert lanes(await outbox.claim(20)) == (3, 0)
    await flood(outbox, high=0, normal=30)
    assert lanes(await outbox.claim(20)) == (0, 20)


# Settling.


async def test_what_the_carrier_accepts_is_charged(world: World, outbox: Replica) -> None:
    message = await sent(outbox, accepted("A1", "A2"), message=TWO_UNITS)
    assert (message.state, message.status, message.billing) == (State.ACCEPTED, Status.SENT, Billing.CHARGED)
    assert (message.carrier, message.error_code) == ("smpp", None)
    assert message.sent_at is not None
    assert await money(outbox) == (Decimal("-1.2"), 0)
    assert await world.charges(ACCOUNT) == [Decimal("1.2")]
    assert await world.events(message.id) == [
        (1, None, "submitting", None),
        (1, "submitting", "accepted", None),
    ]
    assert await stored(outbox, message.id) == message
    assert await outbox.seconds_to_next_due() is None


async def test_what_the_carrier_refuses_is_not_charged(world: World, outbox: Replica) -> None:
    message = await sent(outbox, refused())
    assert (message.state, message.status, message.billing) == (State.REFUSED, Status.FAILED, Billing.RELEASED)
    assert (message.error_code, message.sent_at) == ("INVALID_RECIPIENT", None)
    assert await money(outbox) == (0, 0)
    assert await world.charges(ACCOUNT) == []
    assert (await world.events(message.id))[-1] == (1, "submitting", "refused", "INVALID_RECIPIENT")
    assert await stored(outbox, message.id) == message


async def test_what_was_not_taken_goes_back_into_the_queue_with_its_hold(world: World, outbox: Replica) -> None:
    message = await record(outbox, acceptance(claimed=True))
    back = (await end(outbox, Claim(message, 1, 0, 0.0), not_taken(), retry_in_s=8)).message
    assert (back.state, back.billing, back.error_code) == (State.READY, Billing.HELD, "CARRIER_BUSY")
    assert await money(outbox) == (0, PRICE.unit_price)
    assert await outbox.claim(10) == []
    assert await outbox.seconds_to_next_due() == pytest.approx(8, abs=5)
    await world.pass_time(9)
    claim = await claim_one(outbox)
    assert (claim.epoch, claim.tries) == (2, 1)
    assert (await world.events(message.id))[1:] == [
        (1, "submitting", "ready", "CARRIER_BUSY"),
        (1, "ready", "submitting", None),
    ]


async def test_an_open_outcome_keeps_its_hold_and_is_never_claimed_again(world: World, outbox: Replica) -> None:
    message = await sent(outbox, unanswered())
    assert (message.state, message.status, message.billing) == (State.UNKNOWN, Status.PENDING, Billing.HELD)
    assert message.error_code == "CARRIER_NO_ANSWER"
    assert await money(outbox) == (0, PRICE.unit_price)
    await world.pass_time(QUEUE_S + 1)
    assert await outbox.claim(10) == []
    assert await outbox.seconds_to_next_due() is None
    assert (await outbox.sweep()).expired == 0


async def test_a_batch_of_settlements_has_a_result_each_in_order(outbox: Replica) -> None:
    messages = [await record(outbox, acceptance(claimed=True, user_id=f"user{n % 2}")) for n in range(5)]
    outcomes = [accepted(), refused(), not_taken(), unanswered(), accepted()]
    settled = await outbox.settle(
        [settlement(Claim(message, 1, 0, 0.0), outcome) for message, outcome in zip(messages, outcomes, strict=True)]
    )
    states = [State.ACCEPTED, State.REFUSED, State.READY, State.UNKNOWN, State.ACCEPTED]
    assert [item.message.state for item in settled if isinstance(item, Settled) and item.applied] == states
    assert [item.message.id for item in settled if isinstance(item, Settled)] == [message.id for message in messages]
    assert await money(outbox, "user0") == (Decimal("-1.2"), Decimal("0.6"))
    assert await money(outbox, "user1") == (0, Decimal("0.6"))


@pytest.mark.parametrize("outcome", [accepted(), refused(), not_taken(), unanswered()], ids=lambda o: o.kind.value)
async def test_a_claim_that_was_lost_settles_nothing(world: World, outbox: Replica, outcome: Outcome) -> None:
    message = await record(outbox, acceptance(claimed=True))
    first = Claim(message, 1, 0, 0.0)
    await end(outbox, first, not_taken())
    second = await claim_one(outbox)
    before = (await stored(outbox, message.id), await money(outbox), await world.events(message.id))
    late = await end(outbox, first, outcome)
    assert not late.applied
    assert late.message == before[0]
    assert (await stored(outbox, message.id), await money(outbox), await world.events(message.id)) == before
    assert (await end(outbox, second, accepted())).applied


async def test_a_claim_is_its_owners_only(world: World, outbox: Replica) -> None:
    message = await record(outbox, acceptance(claimed=True))
    assert not (await end(await world.outbox("other"), Claim(message, 1, 0, 0.0), accepted())).applied


async def test_an_outcome_counts_once(world: World, outbox: Replica) -> None:
    message = await record(outbox, acceptance(claimed=True))
    claim = Claim(message, 1, 0, 0.0)
    outcome = accepted()
    assert (await end(outbox, claim, outcome)).applied
    again = await end(outbox, claim, outcome)
    assert not again.applied
    assert again.message.state is State.ACCEPTED
    assert await world.charges(ACCOUNT) == [PRICE.unit_price]


# Sweeping.


async def test_a_lease_that_ran_out_makes_the_outcome_unknown(world: World, outbox: Replica) -> None:
    message = await record(outbox, acceptance(claimed=True))
    assert (await outbox.sweep()).orphaned == 0
    await world.pass_time(LEASE_S + 1)
    swept = await (await world.outbox("other")).sweep()
    assert (swept.orphaned, swept.expired) == (1, 0)
    lost = await stored(outbox, message.id)
    assert (lost.state, lost.billing, lost.error_code) == (State.UNKNOWN, Billing.HELD, "OUTCOME_UNKNOWN")
    assert await world.events(message.id) == [
        (1, None, "submitting", None),
        (1, "submitting", "unknown", "OUTCOME_UNKNOWN"),
    ]
    assert await outbox.claim(10) == []
    assert not (await end(outbox, Claim(message, 1, 0, 0.0), accepted())).applied


@pytest.mark.parametrize("lost", [True, False], ids=["lease ran out", "no answer"])
async def test_an_unknown_outcome_expires_with_its_window_and_is_not_charged(
    world: World, outbox: Replica, lost: bool
) -> None:
    if lost:
        message = await record(outbox, acceptance(claimed=True))
        await world.pass_time(LEASE_S + 1)
        await outbox.sweep()
    else:
        message = await sent(outbox, unanswered())
    await world.pass_time(UNKNOWN_S - 60)
    assert (await outbox.sweep()).expired == 0
    await world.pass_time(61)
    assert (await outbox.sweep()).expired == 1
    expired = await stored(outbox, message.id)
    assert (expired.state, expired.status, expired.billing) == (State.EXPIRED, Status.FAILED, Billing.RELEASED)
    assert expired.error_code == "NO_OUTCOME_IN_TIME"
    assert await money(outbox) == (0, 0)
    assert (await world.events(message.id))[-1] == (1, "unknown", "expired", "NO_OUTCOME_IN_TIME")


async def test_a_message_that_no_carrier_took_in_time_expires(world: World, outbox: Replica) -> None:
    never_tried = await record(outbox, acceptance())
    tried = await record(outbox, acceptance(claimed=True))
    await end(outbox, Claim(tried, 1, 0, 0.0), not_taken())
    now = datetime.now(UTC)
    scheduled = await record(outbox, acceptance(now=now, scheduled_time=now + timedelta(days=300)))
    await world.pass_time(QUEUE_S + 1)
    swept = await outbox.sweep()
    assert (swept.orphaned, swept.expired) == (0, 2)
    codes = {message.id: (await stored(outbox, message.id)).error_code for message in (never_tried, tried, scheduled)}
    assert codes == {never_tried.id: "CARRIER_UNAVAILABLE", tried.id: "CARRIER_BUSY", scheduled.id: None}
    assert await money(outbox) == (0, PRICE.unit_price)
    assert await outbox.claim(10) == []


async def test_tries_that_are_not_taken_do_not_put_the_end_of_the_queue_time_off(world: World, outbox: Replica) -> None:
    message = await record(outbox, acceptance(claimed=True))
    await end(outbox, Claim(message, 1, 0, 0.0), not_taken(), retry_in_s=QUEUE_S / 4 - 1)
    for _ in range(4):
        assert (await outbox.sweep()).expired == 0
        await world.pass_time(QUEUE_S / 4)
        (claim,) = await outbox.claim(10)
        await end(outbox, claim, not_taken(), retry_in_s=QUEUE_S / 4 - 1)
    await world.pass_time(1)
    assert (await outbox.sweep()).expired == 1
    expired = await stored(outbox, message.id)
    assert (expired.state, expired.billing, expired.error_code) == (State.EXPIRED, Billing.RELEASED, "CARRIER_BUSY")
    assert await money(outbox) == (0, 0)


async def test_the_queue_time_of_a_scheduled_message_begins_when_it_is_due(world: World, outbox: Replica) -> None:
    now = datetime.now(UTC)
    message = await record(outbox, acceptance(now=now, scheduled_time=now + timedelta(seconds=QUEUE_S)))
    await world.pass_time(2 * QUEUE_S - 60)
    assert (await outbox.sweep()).expired == 0
    await world.pass_time(61)
    assert (await outbox.sweep()).expired == 1
    assert (await world.events(message.id))[-1] == (1, "scheduled", "expired", "CARRIER_UNAVAILABLE")


async def test_a_sweep_of_nothing_moves_nothing(outbox: Replica) -> None:
    swept = await outbox.sweep()
    assert (swept.orphaned, swept.expired) == (0, 0)


# Resending.


async def test_a_failed_message_is_queued_again_and_held_at_its_frozen_price(world: World, outbox: Replica) -> None:
    failed = await sent(outbox, refused(), priority=Priority.HIGH)
    again = await outbox.resend(failed.id, 3, accounts=None)
    assert (again.state, again.billing, again.retry_count) == (State.READY, Billing.HELD, 1)
    assert (again.error_code, again.price, again.total) == (None, failed.price, failed.total)
    assert await money(outbox) == (0, failed.total)
    claim = await claim_one(outbox)
    assert (claim.message.id, claim.tries) == (failed.id, 0)
    final = (await end(outbox, claim, accepted())).message
    assert (final.state, final.retry_count) == (State.ACCEPTED, 1)
    assert await money(outbox) == (-failed.total, 0)
    assert (await world.events(failed.id))[2:] == [
        (2, "refused", "ready", None),
        (2, "ready", "submitting", None),
        (2, "submitting", "accepted", None),
    ]


async def test_a_claim_from_before_a_resend_settles_nothing(outbox: Replica) -> None:
    message = await record(outbox, acceptance(claimed=True))
    first = Claim(message, 1, 0, 0.0)
    await end(outbox, first, refused())
    await outbox.resend(message.id, 3, accounts=None)
    assert not (await end(outbox, first, accepted())).applied
    second = await claim_one(outbox)
    assert second.epoch > first.epoch
    assert not (await end(outbox, first, accepted())).applied
    assert await money(outbox) == (0, PRICE.unit_price)
    assert (await end(outbox, second, refused())).applied
    await outbox.resend(message.id, 3, accounts=None)
    assert (await claim_one(outbox)).epoch > second.epoch


async def test_an_expired_message_can_be_resent(world: World, outbox: Replica) -> None:
    message = await sent(outbox, unanswered())
    await world.pass_time(UNKNOWN_S + 1)
    await outbox.sweep()
    assert (await outbox.resend(message.id, 3, accounts=None)).state is State.READY


async def test_resends_are_counted_and_capped(outbox: Replica) -> None:
    message = await sent(outbox, refused())
    for count in (1, 2):
        assert (await outbox.resend(message.id, 2, accounts=None)).retry_count == count
        await end(outbox, await claim_one(outbox), refused())
    assert await reason_of(outbox.resend(message.id, 2, accounts=None)) == "RETRY_LIMIT_REACHED"
    assert (await stored(outbox, message.id)).retry_count == 2
    assert await money(outbox) == (0, 0)


@pytest.mark.parametrize("outcome", [accepted(), not_taken(), unanswered()], ids=lambda o: o.kind.value)
async def test_only_a_failed_message_is_resent(outbox: Replica, outcome: Outcome) -> None:
    message = await sent(outbox, outcome)
    before = await money(outbox)
    assert await reason_of(outbox.resend(message.id, 3, accounts=None)) == "NOT_FAILED"
    assert await money(outbox) == before


async def test_a_cancelled_message_is_not_resent(outbox: Replica) -> None:
    message = await record(outbox, acceptance())
    await outbox.cancel(message.id, None)
    assert await reason_of(outbox.resend(message.id, 3, accounts=None)) == "CANCELLED"


async def test_what_does_not_exist_is_neither_resent_nor_cancelled(outbox: Replica) -> None:
    assert await reason_of(outbox.resend(uuid7(), 3, accounts=None)) == "OUTBOX_ENTRY_NOT_FOUND"
    assert await reason_of(outbox.cancel(uuid7(), None)) == "OUTBOX_ENTRY_NOT_FOUND"
    assert await outbox.get(uuid7(), None) is None


async def test_what_belongs_to_a_foreign_account_does_not_exist(world: World, outbox: Replica) -> None:
    failed, waiting = await sent(outbox, refused()), await record(outbox, acceptance())
    for accounts in (frozenset({"other"}), frozenset[str]()):
        assert await outbox.get(failed.id, accounts) is None
        assert await reason_of(outbox.resend(failed.id, 3, accounts=accounts)) == "OUTBOX_ENTRY_NOT_FOUND"
        assert await reason_of(outbox.cancel(waiting.id, accounts)) == "OUTBOX_ENTRY_NOT_FOUND"
    assert (await stored(outbox, waiting.id)).state is State.READY
    own = frozenset({"other", failed.account_id})
    assert await outbox.get(failed.id, own) is not None
    assert (await outbox.resend(failed.id, 3, accounts=own)).state is State.READY
    assert (await outbox.cancel(waiting.id, own)).state is State.CANCELLED


async def test_a_resend_needs_the_money_again(world: World, outbox: Replica) -> None:
    await world.open_account(account("0.6"))
    message = await sent(outbox, refused())
    await record(outbox, acceptance())
    assert await reason_of(outbox.resend(message.id, 3, accounts=None)) == "INSUFFICIENT_FUNDS"
    assert (await stored(outbox, message.id)).state is State.REFUSED
    assert await outbox.seconds_to_next_due() == 0


# Cancelling.


@pytest.mark.parametrize("scheduled", [True, False], ids=["scheduled", "ready"])
async def test_a_message_that_was_not_submitted_can_be_cancelled(
    world: World, outbox: Replica, scheduled: bool
) -> None:
    now = datetime.now(UTC)
    time = now + timedelta(hours=1) if scheduled else None
    message = await record(outbox, acceptance(now=now, scheduled_time=time))
    cancelled = await outbox.cancel(message.id, None)
    assert (cancelled.state, cancelled.status, cancelled.billing) == (
        State.CANCELLED,
        Status.FAILED,
        Billing.RELEASED,
    )
    assert cancelled.error_code == "CANCELLED"
    assert await money(outbox) == (0, 0)
    assert (await world.events(message.id))[-1] == (1, message.state.value, "cancelled", "CANCELLED")
    await world.pass_time(3_601)
    assert await outbox.claim(10) == []
    assert await reason_of(outbox.cancel(message.id, None)) == "NOT_CANCELLABLE"


async def test_what_is_with_the_carrier_or_has_ended_cannot_be_cancelled(outbox: Replica) -> None:
    submitting = await record(outbox, acceptance(claimed=True))
    assert await reason_of(outbox.cancel(submitting.id, None)) == "NOT_CANCELLABLE"
    for outcome in (accepted(), refused(), unanswered()):
        message = await sent(outbox, outcome)
        before = await money(outbox)
        assert await reason_of(outbox.cancel(message.id, None)) == "NOT_CANCELLABLE"
        assert await money(outbox) == before
    assert (await end(outbox, Claim(submitting, 1, 0, 0.0), accepted())).applied


async def test_what_went_back_into_the_queue_can_be_cancelled(outbox: Replica) -> None:
    message = await sent(outbox, not_taken())
    assert (await outbox.cancel(message.id, None)).state is State.CANCELLED


# Reading.


async def test_entries_are_listed_newest_first_by_pages(world: World, outbox: Replica) -> None:
    ids = []
    for _ in range(5):
        ids.append((await record(outbox, acceptance())).id)
        await world.pass_time(1)
    await record(outbox, acceptance(user_id="another"))
    newest_first = ids[::-1]
    first = await outbox.list(ListFilter(ACCOUNT), 2, None)
    assert [message.id for message in first] == newest_first[:2]
    rest = await outbox.list(ListFilter(ACCOUNT), 10, (first[-1].created_at, first[-1].id))
    assert [message.id for message in rest] == newest_first[2:]
    assert await outbox.list(ListFilter("nobody"), 10, None) == []


async def test_entries_are_found_by_their_recipient(outbox: Replica) -> None:
    other = "+254799999999"
    mine = await sent(outbox, accepted())
    await sent(outbox, accepted(), recipient_phone_number=other)
    foreign = acceptance(user_id="another")
    await record(outbox, foreign)
    found = await outbox.list(ListFilter(ACCOUNT, recipient=mine.recipient), 10, None)
    assert [message.id for message in found] == [mine.id]
    assert len(await outbox.list(ListFilter(ACCOUNT, recipient=other), 10, None)) == 1
    assert await outbox.list(ListFilter(ACCOUNT, recipient="+254700000000"), 10, None) == []


async def test_entries_of_one_instant_are_all_listed_once(outbox: Replica) -> None:
    await outbox.accept([acceptance() for _ in range(7)])
    seen: list[UUID] = []
    after = None
    while page := await outbox.list(ListFilter(ACCOUNT), 2, after):
        seen += [message.id for message in page]
        after = (page[-1].created_at, page[-1].id)
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=True)


async def test_entries_are_filtered_by_status_tag_and_time(world: World, outbox: Replica) -> None:
    old = await sent(outbox, accepted(), tags=["otp", "x"])
    await world.pass_time(3_600)
    failed = await sent(outbox, refused(), tags=["otp"])
    pending = await record(outbox, acceptance())

    async def ids(wanted: ListFilter) -> list[UUID]:
        return [message.id for message in await outbox.list(wanted, 10, None)]

    assert await ids(ListFilter(ACCOUNT, status=Status.SENT)) == [old.id]
    assert await ids(ListFilter(ACCOUNT, status=Status.FAILED)) == [failed.id]
    assert await ids(ListFilter(ACCOUNT, status=Status.PENDING)) == [pending.id]
    assert await ids(ListFilter(ACCOUNT, tag="otp")) == [failed.id, old.id]
    assert await ids(ListFilter(ACCOUNT, tag="ot")) == []
    assert await ids(ListFilter(ACCOUNT, tag="otp", status=Status.SENT)) == [old.id]
    boundary = (await stored(outbox, failed.id)).created_at
    assert await ids(ListFilter(ACCOUNT, created_before=boundary)) == [old.id]
    assert await ids(ListFilter(ACCOUNT, created_from=boundary)) == [pending.id, failed.id]


async def test_many_are_looked_up_at_once_and_the_absent_left_out(outbox: Replica) -> None:
    messages = [await record(outbox, acceptance()) for _ in range(3)]
    found = await outbox.get_many([messages[0].id, uuid7(), messages[2].id])
    assert {message.id for message in found} == {messages[0].id, messages[2].id}
    assert await outbox.get_many([]) == []


async def test_errors_name_what_a_client_needs(world: World, outbox: Replica) -> None:
    await world.open_account(account("0.1"))
    (error,) = await outbox.accept([acceptance()])
    assert isinstance(error, ServiceError)
    assert error.kind is Kind.FAILED_PRECONDITION
    assert Decimal(error.metadata["shortfall"]) == Decimal("0.5")


async def test_an_entry_is_found_by_its_key_and_its_request_alone(outbox: Replica) -> None:
    item = acceptance(message_id="msg123")
    message = await record(outbox, item)
    assert await outbox.find(ACCOUNT, "msg123", item.fingerprint) == message
    assert await outbox.find(ACCOUNT, "msg123", b"another request") is None
    assert await outbox.find(ACCOUNT, "msg124", item.fingerprint) is None
    assert await outbox.find("somebody else", "msg123", item.fingerprint) is None
