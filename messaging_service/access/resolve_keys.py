"""Says what a key may do that a caller showed, and notes that it was used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final

from messaging_service.access.domain.key_record import KeyRecord, KeyStatus, no_such_key
from messaging_service.access.key_store import KeyStore
from messaging_service.shared.domain import reasons
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import Kind, ServiceError, Violation, invalid

DIGEST_OCTETS: Final = 32
AT_ONCE: Final = 200
"""Keys that are looked up at a time; a look-up takes about a millisecond, and others wait for the same connections."""
USE_GRAIN: Final = timedelta(minutes=1)
"""Uses of a key that follow one another within this time are one on record."""
MOST_USES: Final = 10_000
"""Keys whose use waits to be recorded; uses of further ones are noted when they are seen the next time."""

_NO_DIGEST: Final = bytes(DIGEST_OCTETS)


class KeyUses:
    """Records when keys were last used, many in one statement, and each at most once a minute."""

    def __init__(self, keys: KeyStore, log: DutyLog, *, every_s: float) -> None:
        """`every_s`: seconds between two statements; what was not written yet is lost with the process."""
        self._keys = keys
        self._waiting: dict[str, datetime] = {}
        self._duty = Duty("key_uses", self.write, log, every_s=every_s)

    def note(self, key: KeyRecord, at: datetime) -> None:
        """The key was used, unless that is on record already."""
        if key.last_used_at is not None and at < key.last_used_at + USE_GRAIN:
            return
        if key.id in self._waiting or len(self._waiting) < MOST_USES:
            self._waiting[key.id] = at

    async def write(self) -> None:
        """Records what waits."""
        uses, self._waiting = self._waiting, {}
        if not uses:
            return
        try:
            await self._keys.note_uses(uses)
        except BaseException:
            self._waiting = uses | self._waiting
            raise

    async def run(self) -> None:
        """Writes again and again, until cancelled."""
        await self._duty.run()


class ResolveKeys:
    """The use case behind ResolveKey."""

    def __init__(self, keys: KeyStore, uses: KeyUses, *, now: Callable[[], datetime], at_once: int = AT_ONCE) -> None:
        """`now`: the present instant, in UTC."""
        self._keys = keys
        self._uses = uses
        self._now = now
        self._places = at_once

    async def resolve(self, key_id: str, digest: bytes) -> KeyRecord:
        """The key that was shown, which is valid now.

        Raises ServiceError KEY_NOT_FOUND, whatever keeps it from being valid: whether a key exists, and that one was
        valid once, is told to nobody who cannot show it. INVALID: the digest is none. OVERLOADED.
        """
        if len(digest) != DIGEST_OCTETS:
            problem = f"has {len(digest)} octets; give the {DIGEST_OCTETS} of SHA-256"
            raise invalid([Violation("secret_sha256", reasons.INVALID_VALUE, problem)])
        if not self._places:
            raise _overloaded()
        self._places -= 1
        try:
            kept = await self._keys.find(key_id)
        finally:
            self._places += 1
        is_same = compare_digest(_NO_DIGEST if kept is None else kept.digest, digest)
        now = self._now()
        if kept is None or not is_same or kept.record.status(now) is not KeyStatus.ACTIVE:
            raise no_such_key()
        self._uses.note(kept.record, now)
        return kept.record


def _overloaded() -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.OVERLOADED,
        "too many keys are looked up at this moment; try again shortly",
        retry_after=timedelta(seconds=1),
    )
