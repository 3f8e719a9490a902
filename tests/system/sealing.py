"""Texts under keys, in tests: a file of key-encryption keys, and what seals with the data keys of a database."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

from messaging_service.privacy.postgres.postgres_data_keys import PostgresDataKeys
from messaging_service.privacy.sealing.key_ring import KeyRing
from messaging_service.privacy.sealing.message_contents import SealedContents
from service_kit.encryption.envelope import new_key
from service_kit.encryption.key_file import KeyFile
from service_kit.encryption.key_wrapper import KeyWrapper
from service_kit.postgres.database import Pool


def key_line(name: str) -> str:
    """A line of a file of keys, with a new key."""
    return f"{name}:{base64.b64encode(new_key()).decode()}\n"


def key_file(folder: Path, *names: str) -> Path:
    """A file of new keys; the first one wraps."""
    path = folder / "keys"
    path.write_text("".join(map(key_line, names or ("first",))))
    return path


def sealed_contents(pool: Pool, wrapper: KeyWrapper | Path) -> SealedContents:
    """What a process seals with, that has unwrapped no key yet."""
    kept = KeyFile(wrapper) if isinstance(wrapper, Path) else wrapper
    return SealedContents(KeyRing(PostgresDataKeys(pool), kept), lambda: datetime.now(UTC))
