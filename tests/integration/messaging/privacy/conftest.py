"""A process that stores texts under keys, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from messaging_service.privacy.postgres.postgres_data_keys import PostgresDataKeys
from messaging_service.privacy.sealing.key_ring import KeyRing
from service_kit.encryption.key_file import KeyFile
from service_kit.postgres.database import Pool, create_pool
from tests.integration.messaging.conftest import WINDOWS
from tests.system.messaging_replica import Replica
from tests.system.sealing import key_file, sealed_contents


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return key_file(tmp_path)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "keys", max_size=4) as pool:
        yield pool


@pytest.fixture
async def sealed(pool: Pool, keys: Path) -> Replica:
    return Replica(pool, "here", WINDOWS, contents=sealed_contents(pool, keys))


def ring(pool: Pool, keys: Path) -> KeyRing:
    """The keys of a process that has unwrapped none yet."""
    return KeyRing(PostgresDataKeys(pool), KeyFile(keys))
