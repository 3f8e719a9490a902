"""Revocations reach every watcher in time, whichever replica they are made at, and none is missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode, aio

from tests.integration.messaging.access.keys_at_work import Platform, platform_on
from tests.system.messaging_database import STAYS_OPEN
from tukupay.sms.messaging.v1 import access_pb2 as pb

pytestmark = pytest.mark.timeout(60)

IN_TIME_S = 2.0


@pytest.fixture
async def platform(database_url: str) -> AsyncIterator[Platform]:
    async with platform_on(database_url, replicas=2) as platform:
        yield platform


class Watch:
    """A watch as a gateway has it."""

    def __init__(self, platform: Platform, replica: int) -> None:
        self.call: Any = platform.replicas[replica].keys.WatchKeys(pb.WatchKeysRequest())

    async def news(self) -> list[str]:
        message = await self.call.read()
        assert message is not aio.EOF
        return list(message.changed_key_ids)

    async def begin(self) -> Watch:
        assert await self.news() == []
        return self

    async def until_ended(self) -> StatusCode:
        """How it ended."""
        try:
            async with asyncio.timeout(5 * IN_TIME_S):
                while True:
                    await self.news()
        except aio.AioRpcError as error:
            return error.code()

    async def until_told(self, key_ids: set[str]) -> None:
        """Returns when all of them were told, each once, and no other one."""
        seen: list[str] = []
        async with asyncio.timeout(IN_TIME_S):
            while len(seen) < len(key_ids):
                seen += await self.news()
        assert (set(seen), len(seen)) == (key_ids, len(key_ids))


async def test_a_revocation_at_another_replica_is_told_in_time(platform: Platform) -> None:
    key_id = (await platform.make()).key.key_id
    watches = [await Watch(platform, replica).begin() for replica in (0, 1, 1)]
    await platform.replicas[0].keys.RevokeKey(pb.RevokeKeyRequest(key_id=key_id))
    await asyncio.gather(*(watch.until_told({key_id}) for watch in watches))


async def test_a_rotation_is_told_with_both_keys(platform: Platform) -> None:
    key_id = (await platform.make()).key.key_id
    watch = await Watch(platform, 1).begin()
    rotated = await platform.keys.RotateKey(pb.RotateKeyRequest(key_id=key_id, overlap=Duration()))
    await watch.until_told({key_id, rotated.key.key_id})


async def test_a_silent_watch_is_told_that_nothing_was_missed_and_uses_are_no_news(platform: Platform) -> None:
    made = await platform.make()
    watch = await Watch(platform, 0).begin()
    async with asyncio.timeout(3 * IN_TIME_S):
        for _ in range(2):
            await platform.resolve(made.secret)
            assert await watch.news() == []


async def test_a_change_that_was_under_way_when_the_watch_began_is_told(platform: Platform, database_url: str) -> None:
    first, second = [(await platform.make()).key.key_id for _ in range(2)]
    change = "UPDATE api_key SET revoked_at = now(), revoked_by = 'x', changed_in = pg_current_xact_id() WHERE id = %s"
    async with await psycopg.AsyncConnection.connect(database_url, options=STAYS_OPEN) as slow:
        await slow.execute(change, (first,))
        watch = await Watch(platform, 0).begin()
        # A later transaction commits first.
        await platform.replicas[1].keys.RevokeKey(pb.RevokeKeyRequest(key_id=second))
        await watch.until_told({second})
        assert await watch.news() == []
        await slow.commit()
        await watch.until_told({first})


async def test_a_watch_ends_when_the_database_cannot_be_asked(platform: Platform, database_url: str) -> None:
    watch = await Watch(platform, 0).begin()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("ALTER TABLE api_key RENAME TO api_key_away")
        try:
            assert await watch.until_ended() is StatusCode.UNAVAILABLE
        finally:
            await connection.execute("ALTER TABLE api_key_away RENAME TO api_key")
    # It begins anew.
    async with asyncio.timeout(5 * IN_TIME_S):
        await Watch(platform, 0).begin()


async def test_a_replica_that_ends_ends_its_watches(database_url: str) -> None:
    async with platform_on(database_url) as platform:
        watch = await Watch(platform, 0).begin()
        ending = asyncio.ensure_future(watch.until_ended())
    assert await ending in {StatusCode.UNAVAILABLE, StatusCode.CANCELLED}
