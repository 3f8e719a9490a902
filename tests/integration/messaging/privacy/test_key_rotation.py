"""Data keys are wrapped anew while messages are sent, and their texts stay as they are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from messaging_service.privacy.postgres.postgres_data_keys import PostgresDataKeys
from messaging_service.privacy.sealing.rewrapping import Rewrapping
from service_kit.audit.actor import PLATFORM
from service_kit.encryption.key_file import KeyFile
from service_kit.errors import ServiceError
from service_kit.postgres.database import Pool
from tests.contract.sms_examples import acceptance, accepted
from tests.integration.messaging.conftest import WINDOWS, sent, stored
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica
from tests.system.sealing import key_line, sealed_contents

TEXT = "Your code is 84210973."


async def test_rotation_touches_keys_alone_while_sends_go_on(
    sealed: Replica, pool: Pool, keys: Path, database_url: str
) -> None:
    for n in range(7):
        await sealed.accept([acceptance(user_id=f"user{n}", message=TEXT)])
    message = await sent(sealed, accepted(), message=TEXT)
    contents = await rows(database_url, "SELECT id, content FROM message ORDER BY id")
    old = text_of(keys)
    replace(keys, key_line("second") + old)
    rotation, rotated = Rewrapping(PostgresDataKeys(pool), KeyFile(keys)), 0

    async def send() -> None:
        for _ in range(10):
            await sent(sealed, accepted(), message=TEXT)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        sending = group.create_task(send())
        while (done := await rotation.step(3, PLATFORM)).rewrapped:
            rotated += done.rewrapped
        await sending
    assert rotated == 9, "8 accounts and the index"
    assert (await rotation.step(3, PLATFORM)).rewrapped == 0
    assert await rows(database_url, "SELECT DISTINCT wrapped_by FROM data_key") == [("second",)]
    assert contents == await rows(
        database_url, "SELECT id, content FROM message WHERE id = ANY(%s) ORDER BY id", ([id_ for id_, _ in contents],)
    )
    replace(keys, text_of(keys).splitlines(keepends=True)[0])
    later = Replica(pool, "later", WINDOWS, contents=sealed_contents(pool, keys))
    assert (await stored(later, message.id)).text == TEXT


async def test_a_rotation_without_the_old_key_changes_nothing(
    sealed: Replica, pool: Pool, keys: Path, database_url: str
) -> None:
    message = await sent(sealed, accepted(), message=TEXT)
    old = text_of(keys)
    replace(keys, key_line("second"))
    with pytest.raises(ServiceError, match="KEYS_UNAVAILABLE"):
        await Rewrapping(PostgresDataKeys(pool), KeyFile(keys)).step(10, PLATFORM)
    with pytest.raises(ServiceError, match="KEYS_NOT_SET"):
        await Rewrapping(PostgresDataKeys(pool), None).step(10, PLATFORM)
    replace(keys, old)
    later = Replica(pool, "later", WINDOWS, contents=sealed_contents(pool, keys))
    assert (await stored(later, message.id)).text == TEXT
    assert await rows(database_url, "SELECT DISTINCT wrapped_by FROM data_key") == [("first",)]


def text_of(path: Path) -> str:
    """What a file holds."""
    return path.read_text()


def replace(path: Path, text: str) -> None:
    """Writes the file as deployments do: a new one in its place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
