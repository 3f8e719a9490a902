"""What bind leases promise: the real ones in PostgreSQL, and the dictionaries that other tests use in their place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.carriers.bind_leases import BindLeases, LeaseShare, LeaseTerms, fair_shares
from messaging_service.carriers.postgres.postgres_bind_leases import PostgresBindLeases
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import create_pool
from tests.conftest import DatabaseTemplate
from tests.doubles.in_memory_leases import InMemoryBindLeases, LeaseBook
from tests.system.messaging_database import empty_database, rows

LEASE_S = 30.0
FOUR = LeaseTerms("safaricom", 4, LEASE_S)


class World(Protocol):
    async def replica(self, owner: str) -> BindLeases: ...
    async def pass_time(self, seconds: float) -> None: ...


class InMemoryWorld:
    def __init__(self) -> None:
        self._book = LeaseBook()

    async def replica(self, owner: str) -> BindLeases:
        return InMemoryBindLeases(self._book, owner)

    async def pass_time(self, seconds: float) -> None:
        self._book.now_s += seconds


class PostgresWorld:
    def __init__(self, url: str, closing: AsyncExitStack) -> None:
        self._url = url
        self._closing = closing

    async def replica(self, owner: str) -> BindLeases:
        pool = create_pool(self._url, owner, max_size=2)
        await pool.open()
        self._closing.push_async_callback(pool.close)
        return PostgresBindLeases(pool, owner)

    async def pass_time(self, seconds: float) -> None:
        await rows(self._url, "UPDATE bind_lease SET lease_until = lease_until - make_interval(secs => %s)", (seconds,))
        await rows(self._url, "UPDATE bind_seeker SET seen_until = seen_until - make_interval(secs => %s)", (seconds,))


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield InMemoryWorld()
        return
    server: EmbeddedPostgres = request.getfixturevalue("postgres_server")
    template: DatabaseTemplate = request.getfixturevalue("database_template")
    async with AsyncExitStack() as closing:
        yield PostgresWorld(empty_database(server, template), closing)


async def test_a_lone_replica_holds_all_and_renewing_changes_nothing(world: World) -> None:
    a = await world.replica("a")
    for _ in range(3):
        share = await a.renew(FOUR)
        assert share == LeaseShare(frozenset({1, 2, 3, 4}), 4)
        await world.pass_time(LEASE_S / 3)


async def test_a_second_replica_takes_only_what_the_first_gave_up(world: World) -> None:
    a, b = await world.replica("a"), await world.replica("b")
    await a.renew(FOUR)
    assert (await b.renew(FOUR)).held == frozenset()
    share = await a.renew(FOUR)
    assert share == LeaseShare(frozenset({1, 2, 3, 4}), 2)
    for number in (3, 4):
        await a.release("safaricom", number)
    assert (await b.renew(FOUR)).held == {3, 4}
    assert (await a.renew(FOUR)).held == {1, 2}


async def test_what_a_crashed_replica_held_is_taken_when_its_lease_ran_out_and_not_before(world: World) -> None:
    a, b = await world.replica("a"), await world.replica("b")
    await a.renew(FOUR)
    await world.pass_time(LEASE_S - 1)
    assert (await b.renew(FOUR)).held == frozenset()
    await world.pass_time(2)
    share = await b.renew(FOUR)
    assert share == LeaseShare(frozenset({1, 2, 3, 4}), 4)
    assert (await a.renew(FOUR)).held == frozenset()


async def test_a_lease_that_ran_out_untaken_is_held_again(world: World) -> None:
    a = await world.replica("a")
    await a.renew(FOUR)
    await world.pass_time(LEASE_S * 2)
    assert (await a.renew(FOUR)).held == {1, 2, 3, 4}


async def test_who_leaves_frees_all_at_once_and_the_others_shares_grow(world: World) -> None:
    a, b = await world.replica("a"), await world.replica("b")
    await a.renew(FOUR)
    await b.renew(FOUR)
    await a.leave("safaricom")
    share = await b.renew(FOUR)
    assert share == LeaseShare(frozenset({1, 2, 3, 4}), 4)


async def test_nobody_gives_up_what_is_anothers(world: World) -> None:
    a, b = await world.replica("a"), await world.replica("b")
    await a.renew(FOUR)
    await b.release("safaricom", 1)
    await b.leave("safaricom")
    assert (await b.renew(FOUR)).held == frozenset()


async def test_more_replicas_than_binds_leave_some_without(world: World) -> None:
    replicas = [await world.replica(name) for name in "abc"]
    terms = LeaseTerms("safaricom", 2, LEASE_S)
    shares: list[LeaseShare] = []
    for _ in range(3):
        shares = [await replica.renew(terms) for replica in replicas]
        for replica, share in zip(replicas, shares, strict=True):
            for number in sorted(share.held)[share.fair :]:
                await replica.release("safaricom", number)
    assert sorted(len(share.held) for share in shares) == [0, 1, 1]


async def test_a_limit_that_was_lowered_leaves_the_higher_numbers_behind(world: World) -> None:
    a = await world.replica("a")
    await a.renew(FOUR)
    assert (await a.renew(LeaseTerms("safaricom", 2, LEASE_S))).held == {1, 2}


async def test_carriers_do_not_share_leases(world: World) -> None:
    a, b = await world.replica("a"), await world.replica("b")
    await a.renew(FOUR)
    assert len((await b.renew(LeaseTerms("airtel", 3, LEASE_S))).held) == 3


async def test_many_replicas_at_once_never_hold_one_lease_twice(
    postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate
) -> None:
    async with AsyncExitStack() as closing:
        world = PostgresWorld(empty_database(postgres_server, database_template), closing)
        replicas = [await world.replica(f"replica-{number}") for number in range(8)]
        terms = LeaseTerms("safaricom", 5, LEASE_S)
        for _ in range(6):
            shares = await asyncio.gather(*(replica.renew(terms) for replica in replicas))
            held = [number for share in shares for number in share.held]
            assert len(held) == len(set(held))
            surplus = [
                replica.release("safaricom", number)
                for replica, share in zip(replicas, shares, strict=True)
                for number in sorted(share.held)[share.fair :]
            ]
            await asyncio.gather(*surplus)
        shares = await asyncio.gather(*(replica.renew(terms) for replica in replicas))
        assert sorted(number for share in shares for number in share.held) == [1, 2, 3, 4, 5]
        assert sorted(len(share.held) for share in shares) == [0, 0, 0, 1, 1, 1, 1, 1]


async def test_without_a_database_a_renewal_fails_as_unavailable(unused_tcp_port: int) -> None:
    pool = create_pool(f"postgresql://127.0.0.1:{unused_tcp_port}/none", "a", min_size=0, timeout_s=0.2)
    await pool.open(wait=False)
    with pytest.raises(ServiceError) as error:
        await PostgresBindLeases(pool, "a").renew(FOUR)
    assert error.value.kind is Kind.UNAVAILABLE
    await pool.close()


@given(holdings=st.dictionaries(st.text(max_size=3), st.integers(0, 20), max_size=12), max_binds=st.integers(1, 40))
def test_shares_add_up_and_differ_by_one_at_most(holdings: dict[str, int], max_binds: int) -> None:
    shares = fair_shares(holdings, max_binds)
    assert shares.keys() == holdings.keys()
    if shares:
        assert sum(shares.values()) == max_binds
        assert max(shares.values()) - min(shares.values()) <= 1


@given(holdings=st.dictionaries(st.text(max_size=3), st.integers(0, 20), min_size=1, max_size=12))
def test_nobody_rebinds_when_the_binds_are_already_shared_fairly(holdings: dict[str, int]) -> None:
    fair = fair_shares(holdings, sum(holdings.values()))
    assert fair_shares(fair, sum(holdings.values())) == fair
