"""Several instances of the service on one database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain

import pytest

from messaging_service.privacy.sealing.message_contents import Sealer
from messaging_service.sending.outbox import Acceptance, Accepted, Claim, Settled
from messaging_service.sending.postgres import postgres_outbox as outbox_module
from messaging_service.shared.domain.states import State
from messaging_service.shared.postgres.migrated import StatementFailedError
from service_kit.errors import ServiceError
from service_kit.postgres.database_errors import database_unavailable
from tests.contract.sms_examples import ACCOUNT, PRICE, TWO_UNITS, acceptance, accepted, refused, settlement
from tests.integration.messaging.conftest import MakeOutbox, money, record, settle, stored, transitions
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)


async def two(make_outbox: MakeOutbox) -> tuple[Replica, Replica]:
    return await make_outbox("one"), await make_outbox("two")


async def count(url: str, table: str) -> int:
    return int((await rows(url, f"SELECT count(*) FROM {table}"))[0][0])


async def test_the_same_id_a_hundred_times_at_once_is_one_message(make_outbox: MakeOutbox, database_url: str) -> None:
    outboxes = await two(make_outbox)
    answers = await asyncio.gather(
        *(outboxes[n % 2].accept([acceptance(message_id="msg123", claimed=n % 3 == 0)]) for n in range(100))
    )
    entries = [answer for batch in answers for answer in batch]
    assert all(isinstance(entry, Accepted) for entry in entries)
    assert len({entry.message.id for entry in entries if isinstance(entry, Accepted)}) == 1
    assert sum(isinstance(entry, Accepted) and not entry.replayed for entry in entries) == 1
    for table in ("message", "dispatch", "idempotency", "message_event", "account"):
        assert await count(database_url, table) == 1, table
    assert await money(outboxes[0]) == (0, PRICE.unit_price)


async def test_one_of_two_requests_with_one_id_wins_and_every_other_body_is_refused(make_outbox: MakeOutbox) -> None:
    outboxes = await two(make_outbox)
    answers = await asyncio.gather(
        *(outboxes[n % 2].accept([acceptance(message_id="msg123", message=f"Body {n // 2 % 2}.")]) for n in range(100))
    )
    entries = [answer for batch in answers for answer in batch]
    won = {entry.message.text for entry in entries if isinstance(entry, Accepted)}
    lost = {entry.reason for entry in entries if isinstance(entry, ServiceError)}
    assert len(won) == 1
    assert lost == {"MESSAGE_ID_REUSED"}
    assert sum(isinstance(entry, Accepted) for entry in entries) == 50
    assert await money(outboxes[0]) == (0, PRICE.unit_price)


@pytest.mark.parametrize("affordable", [0, 1, 37])
async def test_a_prepaid_account_pays_for_exactly_what_it_has_under_a_race(
    make_outbox: MakeOutbox, database_url: str, affordable: int
) -> None:
    outboxes = await two(make_outbox)
    posted = affordable * PRICE.unit_price + Decimal("0.599999")
    await rows(database_url, "INSERT INTO account (id, mode, posted) VALUES (%s, 'prepaid', %s)", (ACCOUNT, posted))
    # Batches of all sizes, with postpaid senders between.
    batches = [
        [acceptance(), *(acceptance(user_id=f"other{n % 5}") for _ in range(n % 3)), *([acceptance()] if n % 2 else [])]
        for n in range(133)
    ]
    answers = list(
        chain.from_iterable(await asyncio.gather(*(outboxes[n % 2].accept(batch) for n, batch in enumerate(batches))))
    )
    mine = [
        answer
        for answer, item in zip(answers, chain.from_iterable(batches), strict=True)
        if item.request.account_id == ACCOUNT
    ]
    assert len(mine) == 199
    assert sum(isinstance(answer, Accepted) for answer in mine) == affordable
    assert {answer.reason for answer in mine if isinstance(answer, ServiceError)} == {"INSUFFICIENT_FUNDS"}
    assert await money(outboxes[0]) == (posted, affordable * PRICE.unit_price)
    others = [answer for answer in answers if answer not in mine]
    assert all(isinstance(answer, Accepted) for answer in others)


async def test_new_accounts_in_every_order_do_not_lock_one_another_out(
    make_outbox: MakeOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A deadlock would be hidden by trying again.
    monkeypatch.setattr(outbox_module, "ACCEPT_PAUSES_S", ())
    outboxes = await two(make_outbox)
    names = [f"account{n}" for n in range(12)]
    batches = [[acceptance(user_id=name) for name in names[n:] + names[:n]][:: 1 if n % 2 else -1] for n in range(24)]
    answers = await asyncio.gather(*(outboxes[n % 2].accept(batch) for n, batch in enumerate(batches)))
    assert all(isinstance(answer, Accepted) for batch in answers for answer in batch)
    for name in names:
        assert await money(outboxes[0], name) == (0, 24 * PRICE.unit_price)


async def test_no_row_is_claimed_twice(make_outbox: MakeOutbox) -> None:
    outboxes = [await make_outbox(f"instance {n}") for n in range(2)]
    for _ in range(4):
        await outboxes[0].accept([acceptance() for _ in range(250)])

    async def drain(outbox: Replica) -> list[Claim]:
        mine: list[Claim] = []
        while claims := await outbox.claim(17):
            mine.extend(claims)
        return mine

    taken = await asyncio.gather(*(drain(outboxes[n % 2]) for n in range(4)))
    ids = [claim.message.id for claims in taken for claim in claims]
    assert len(ids) == len(set(ids)) == 1_000
    assert all(claim.epoch == 1 for claims in taken for claim in claims)


async def test_settlements_of_two_instances_add_up(make_outbox: MakeOutbox, database_url: str) -> None:
    outboxes = await two(make_outbox)
    messages = [
        [await record(outbox, acceptance(claimed=True, user_id=f"user{n % 3}", message=TWO_UNITS)) for n in range(30)]
        for outbox in outboxes
    ]

    async def settle_all(side: int) -> None:
        claims = [Claim(message, 1, 0, 0.0) for message in messages[side]]
        await asyncio.gather(
            *(
                outboxes[side].settle(
                    [
                        settlement(claim, accepted("a", "b") if n % 2 else refused())
                        for n, claim in enumerate(claims[start : start + 5])
                    ]
                )
                for start in range(0, 30, 5)
            )
        )

    await asyncio.gather(settle_all(0), settle_all(1))
    (posted, held), (charged,) = (
        (await rows(database_url, "SELECT sum(posted), sum(held) FROM account"))[0],
        (await rows(database_url, "SELECT sum(amount) FROM ledger_entry"))[0],
    )
    accepted_count = await rows(database_url, "SELECT count(*) FROM message WHERE state = 'accepted'")
    assert (posted, held) == (charged, 0) == (-accepted_count[0][0] * 2 * PRICE.unit_price, 0)


async def test_a_process_that_slept_through_its_lease_settles_nothing(
    make_outbox: MakeOutbox, database_url: str
) -> None:
    slow, other = await two(make_outbox)
    message = await record(slow, acceptance(claimed=True))
    await pass_time(database_url, 31)
    assert (await other.sweep()).orphaned == 1
    (late,) = await slow.settle([settlement(Claim(message, 1, 0, 0.0), accepted())])
    assert isinstance(late, Settled)
    assert not late.applied
    assert late.message.state is State.UNKNOWN
    assert await money(slow) == (0, PRICE.unit_price)
    assert await count(database_url, "message_part") == 0


async def test_a_settlement_and_a_sweep_at_once_agree(make_outbox: MakeOutbox, database_url: str) -> None:
    owner, other = await two(make_outbox)
    messages = [await record(owner, acceptance(claimed=True)) for _ in range(40)]
    await pass_time(database_url, 31)
    batches = [
        owner.settle([settlement(Claim(message, 1, 0, 0.0), accepted()) for message in messages[start : start + 4]])
        for start in range(0, 40, 4)
    ]
    sweeping = asyncio.ensure_future(other.sweep())
    settled = await asyncio.gather(*batches)
    swept = await sweeping
    applied = sum(item.applied for batch in settled for item in batch if isinstance(item, Settled))
    assert swept.orphaned + applied == 40
    for message in messages:
        assert len(await transitions(database_url, message.id)) == 2
    assert await money(owner) == (-applied * PRICE.unit_price, swept.orphaned * PRICE.unit_price)


async def test_a_cancellation_and_a_claim_at_once_have_one_winner(make_outbox: MakeOutbox) -> None:
    one, two_ = await two(make_outbox)
    messages = [await record(one, acceptance()) for _ in range(30)]
    claiming = asyncio.gather(*(two_.claim(5) for _ in range(6)))
    outcomes = await asyncio.gather(*(one.cancel(message.id, None) for message in messages), return_exceptions=True)
    claims = await claiming
    claimed = {claim.message.id for batch in claims for claim in batch}
    for message, outcome in zip(messages, outcomes, strict=True):
        assert isinstance(outcome, ServiceError) == (message.id in claimed)
    assert await money(one) == (0, len(claimed) * PRICE.unit_price)


async def test_resends_of_one_entry_at_once_make_one_attempt(make_outbox: MakeOutbox) -> None:
    outboxes = await two(make_outbox)
    message = await record(outboxes[0], acceptance(claimed=True))
    await settle(outboxes[0], Claim(message, 1, 0, 0.0), refused())
    answers = await asyncio.gather(
        *(outboxes[n % 2].resend(message.id, 3, accounts=None) for n in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert {answer.reason for answer in answers if isinstance(answer, ServiceError)} == {"NOT_FAILED"}
    assert await money(outboxes[0]) == (0, PRICE.unit_price)


async def test_only_the_clock_of_the_database_says_what_is_due(outbox: Replica, database_url: str) -> None:
    now = datetime.now(UTC)
    an_hour = timedelta(hours=1)
    # A process an hour behind takes this for the future, one an hour ahead takes that for the past.
    due = await record(outbox, acceptance(now=now - 2 * an_hour, scheduled_time=now - an_hour / 2))
    early = await record(outbox, acceptance(now=now + 2 * an_hour, scheduled_time=now + an_hour / 2))
    assert (due.state, early.state) == (State.READY, State.SCHEDULED)
    assert [claim.message.id for claim in await outbox.claim(10)] == [due.id]
    assert (await stored(outbox, early.id)).state is State.SCHEDULED
    await pass_time(database_url, 1_801)
    assert [claim.message.id for claim in await outbox.claim(10)] == [early.id]


async def test_a_batch_that_was_committed_unnoticed_is_found_when_it_is_tried_again(
    make_outbox: MakeOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = await make_outbox("here")
    original, failures = outbox._accept, [database_unavailable()]

    async def commit_and_lose(batch: Sequence[Acceptance], sealer: Sealer) -> object:
        answers = await original(batch, sealer)
        if failures:
            raise failures.pop()
        return answers

    monkeypatch.setattr(outbox, "_accept", commit_and_lose)
    item = acceptance(message_id="msg123", claimed=True)
    (answer,) = await outbox.accept([item])
    assert isinstance(answer, Accepted)
    assert not answer.replayed
    assert (answer.message.id, answer.message.state) == (item.message_id, State.SUBMITTING)
    assert await money(outbox) == (0, PRICE.unit_price)
    assert (await settle(outbox, Claim(answer.message, 1, 0, 0.0), accepted())).state is State.ACCEPTED


async def test_a_database_that_stands_still_is_not_asked_again_and_again(
    make_outbox: MakeOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, tries = await make_outbox("here"), 0

    async def stand_still(*_: object) -> object:
        nonlocal tries
        tries += 1
        raise database_unavailable()

    monkeypatch.setattr(outbox, "_accept", stand_still)
    monkeypatch.setattr(outbox_module, "ACCEPT_AGAIN_S", 0.0)
    with pytest.raises(ServiceError):
        await outbox.accept([acceptance()])
    assert tries == 1


async def test_a_transaction_that_breaks_leaves_nothing_behind(outbox: Replica, database_url: str) -> None:
    poisoned = acceptance(message_id="poisoned")
    object.__setattr__(poisoned.request, "text", "nul\x00")
    with pytest.raises(StatementFailedError):
        await outbox.accept([acceptance(), poisoned])
    for table in ("message", "dispatch", "idempotency", "message_event"):
        assert await count(database_url, table) == 0, table
