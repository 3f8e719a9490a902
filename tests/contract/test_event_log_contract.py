"""What every log of events does, the real one and the fake: nothing is missed, in whatever order transactions end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from messaging_service.events.domain.event_cursor import EventFilter, Handout, Position
from messaging_service.shared.domain.states import State
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import DatabaseTemplate
from tests.doubles.event_journal import ACCOUNT, OTHER_ACCOUNT, InMemoryJournal, Journal, PostgresJournal
from tests.system.messaging_database import empty_database

MINE = EventFilter(ACCOUNT)


@pytest.fixture(params=["in memory", "PostgreSQL"])
async def journal(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate
) -> AsyncIterator[Journal]:
    if request.param == "in memory":
        yield InMemoryJournal()
        return
    async with AsyncExitStack() as closing:
        yield await PostgresJournal(empty_database(postgres_server, database_template), closing).open()


async def here(journal: Journal) -> Position:
    return Position(await journal.log.present())


async def read(journal: Journal, position: Position, wanted: EventFilter = MINE) -> tuple[list[int], Position]:
    """Ids that both ways of reading give, and the position after them."""
    step = await journal.log.catch_up(position, wanted, 100)
    followed = await journal.log.follow(position, {wanted.account_id}, 100)
    ids = [logged.event.id for logged in step.events]
    assert [logged.event.id for logged in Handout(followed.events).wanted(wanted)] == ids
    return ids, step.position


async def test_an_event_that_is_committed_after_later_ids_is_not_missed(journal: Journal) -> None:
    first, second = await journal.message(), await journal.message()
    start = await here(journal)
    slow, fast = await journal.begin(), await journal.begin()
    early = await slow.write(first)
    late = await fast.write(second)
    await fast.commit()
    ids, position = await read(journal, start)
    assert ids == [late]
    assert early < late
    await slow.commit()
    ids, position = await read(journal, position)
    assert ids == [early]
    assert (await read(journal, position))[0] == []


async def test_a_transaction_that_stays_open_holds_up_nobody_else(journal: Journal) -> None:
    message = await journal.message()
    idle = await journal.begin()
    position = await here(journal)
    for _ in range(5):
        writer = await journal.begin()
        written = await writer.write(message)
        await writer.commit()
        ids, position = await read(journal, position)
        assert ids == [written]
    other = await journal.message()
    last = await idle.write(other)
    assert (await read(journal, position))[0] == []
    await idle.commit()
    assert (await read(journal, position))[0] == [last]


async def test_what_is_rolled_back_never_happened(journal: Journal) -> None:
    message = await journal.message()
    start = await here(journal)
    writer = await journal.begin()
    await writer.write(message)
    await writer.abort()
    assert (await read(journal, start))[0] == []


async def test_events_of_a_message_come_in_their_order_when_the_older_transaction_wrote_later(journal: Journal) -> None:
    message = await journal.message()
    start = await here(journal)
    older, newer = await journal.begin(), await journal.begin()
    first = await newer.write(message, State.ACCEPTED)
    await newer.commit()
    second = await older.write(message, State.DELIVERED)
    await older.commit()
    assert (await read(journal, start))[0] == [first, second]


async def test_a_long_way_is_read_in_pages_and_what_is_committed_meanwhile_comes_after_it(journal: Journal) -> None:
    messages = [await journal.message() for _ in range(3)]
    start = await here(journal)
    straggler = await journal.begin()
    early = await straggler.write(messages[0])
    writer = await journal.begin()
    written = [await writer.write(message) for message in (messages[1], messages[2], messages[1])]
    await writer.commit()
    page = await journal.log.catch_up(start, MINE, 2)
    assert [logged.event.id for logged in page.events] == written[:2]
    await straggler.commit()
    rest = await journal.log.catch_up(page.position, MINE, 2)
    assert [logged.event.id for logged in rest.events] == written[2:]
    assert rest.position.until is None
    assert (await read(journal, rest.position))[0] == [early]


async def test_only_what_is_wanted_is_read(journal: Journal) -> None:
    plain, tagged = await journal.message(), await journal.message(tags=["OTP", "login"])
    foreign = await journal.message(OTHER_ACCOUNT, tags=["OTP"])
    start = await here(journal)
    writer = await journal.begin()
    queued = await writer.write(plain)
    marked = await writer.write(tagged, State.SUBMITTING)
    other = await writer.write(foreign)
    failed = await writer.write(plain, State.REFUSED)
    await writer.commit()
    assert (await read(journal, start))[0] == [queued, marked, failed]
    assert (await read(journal, start, EventFilter(OTHER_ACCOUNT)))[0] == [other]
    assert (await read(journal, start, EventFilter(ACCOUNT, tag="OTP")))[0] == [marked]
    assert (await read(journal, start, EventFilter(ACCOUNT, states=frozenset({State.REFUSED}))))[0] == [failed]
    assert (await read(journal, start, EventFilter(ACCOUNT, message_id=plain)))[0] == [queued, failed]


async def test_a_number_that_ended_without_an_event_counts_as_unseen(journal: Journal) -> None:
    """A database that crashes may give such a number to another transaction."""
    message = await journal.message()
    writer = await journal.begin()
    await writer.write(message)
    await writer.commit()
    before = await journal.log.present()
    for _ in range(3):
        await (await journal.begin()).abort()
    assert (await journal.log.present()).first_unseen == before.first_unseen
    assert not before.saw(before.first_unseen)
