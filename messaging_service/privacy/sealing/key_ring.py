"""Data keys in use: made when a scope has none, unwrapped once, and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeVar

import structlog

from messaging_service.privacy.data_key_store import DataKeyStore, NewKey, StoredKey
from messaging_service.privacy.domain.key_scope import INDEX, KeyScope
from messaging_service.privacy.sealing.blind_index import BlindIndex
from messaging_service.shared.domain import reasons
from service_kit.encryption.envelope import DataKey, new_key
from service_kit.encryption.key_wrapper import KeyWrapper, WrappedKey, WrapperDownError, WrapperError
from service_kit.errors import Kind, ServiceError

FRESH_S: Final = 60.0
"""How long a key is used without a look at whether it was destroyed."""
USABLE_S: Final = 3_600.0
"""How long a key is used at most while what keeps the keys is away."""
AGAIN_S: Final = 1_800.0
"""How long a key is used before it is unwrapped anew, where its keeper can be asked."""
RETRY_S: Final = 5.0
"""How long keys that are at hand are used before the next look, after one that failed."""
MOST_KEYS: Final = 20_000
"""Keys kept at once: accounts that are active, times months that are read."""

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(slots=True)
class _Held:
    """A key at hand."""

    key: DataKey | None
    """None for one that is destroyed."""
    wrapped: bytes | None
    """As it was stored when it was unwrapped."""
    fresh_until: float
    unwrapped_at: float

    @property
    def usable_until(self) -> float:
        """How long it is used at most while its keeper is away."""
        return self.unwrapped_at + USABLE_S


def keys_unavailable() -> ServiceError:
    """Texts cannot be sealed or read now."""
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.KEYS_UNAVAILABLE,
        "the keys of texts cannot be had; nothing was stored or changed, try again in a moment",
        retry_after=timedelta(seconds=RETRY_S),
    )


def keys_not_set() -> ServiceError:
    """Texts are stored as they are, so nothing of a phone could be kept that tells nobody its number."""
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        reasons.KEYS_NOT_SET,
        "texts are not stored under keys here; the operator sets MESSAGING_KEK_FILE first",
    )


class KeyRing:
    """Gives data keys by scope and by number; each call reads only what is not at hand."""

    def __init__(
        self, store: DataKeyStore, wrapper: KeyWrapper, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._wrapper = wrapper
        self._monotonic = monotonic
        self._by_id: dict[int, _Held] = {}
        self._id_of: dict[KeyScope, int] = {}
        self._month: date | None = None
        self._held_of_month: dict[str, _Held] = {}
        """By account, of the month that was asked for last."""
        self._index: BlindIndex | None = None
        self._loading = asyncio.Lock()
        self._away_until = float("-inf")
        """After a failure nobody is asked before then."""

    async def of_month(self, month: date, accounts: Collection[str]) -> Mapping[str, DataKey]:
        """The keys of accounts in a month, as `sealing`. The month that was asked for last is the quickest."""
        if month != self._month:
            self._month, self._held_of_month = month, {}
        now, found = self._monotonic(), {}
        for account in accounts:
            held = self._held_of_month.get(account)
            if held is None or held.key is None or now >= held.fresh_until:
                break
            found[account] = held.key
        else:
            return found
        keys = await self.sealing([KeyScope(account, month) for account in accounts])
        at_hand = {scope.account_id: key for scope, key in keys.items()}
        if month == self._month:
            self._held_of_month.update({account: self._by_id[key.id] for account, key in at_hand.items()})
        return at_hand

    async def sealing(self, scopes: Iterable[KeyScope]) -> Mapping[KeyScope, DataKey]:
        """The keys of scopes; those that have none get one. No entry for one that cannot be had now."""
        wanted = set(scopes)
        found = self._fresh_of_scopes(wanted)
        if len(found) == len(wanted):
            return found
        async with self._loading:
            found = self._fresh_of_scopes(wanted)
            missing = wanted - found.keys()
            if missing:
                at_hand = [self._id_of[scope] for scope in missing if scope in self._id_of]
                await self._tried(self._load_scopes(missing), at_hand)
        return self._fresh_of_scopes(wanted)

    async def opening(self, ids: Iterable[int]) -> Mapping[int, DataKey | None]:
        """The keys with these numbers: None for one that is destroyed, and no entry for one that cannot be had now."""
        wanted = set(ids)
        found = self._fresh_of_ids(wanted)
        if len(found) == len(wanted):
            return found
        async with self._loading:
            missing = wanted - self._fresh_of_ids(wanted).keys()
            if missing:
                await self._tried(self._load_ids(missing), missing)
            return self._fresh_of_ids(wanted)

    async def index(self) -> BlindIndex:
        """What hides phones and fingerprints; made once, and the same for ever. Raises KEYS_UNAVAILABLE."""
        index = await self.index_at_hand()
        if index is None:
            raise keys_unavailable()
        return index

    async def index_at_hand(self) -> BlindIndex | None:
        """The same; None while its key cannot be had."""
        if self._index is None:
            await self.sealing([INDEX])
        return self._index

    def forget(self) -> None:
        """Looks at each key again before its next use, as after some were destroyed."""
        for held in self._by_id.values():
            held.fresh_until = float("-inf")

    def _fresh_of_scopes(self, scopes: set[KeyScope]) -> dict[KeyScope, DataKey]:
        now, found = self._monotonic(), {}
        for scope in scopes:
            held = self._by_id.get(self._id_of.get(scope, 0))
            if held is not None and held.key is not None and now < held.fresh_until:
                found[scope] = held.key
        return found

    def _fresh_of_ids(self, ids: set[int]) -> dict[int, DataKey | None]:
        now = self._monotonic()
        return {
            key_id: held.key
            for key_id in ids
            if (held := self._by_id.get(key_id)) is not None and (held.key is None or now < held.fresh_until)
        }

    async def _tried(self, load: Coroutine[None, None, None], at_hand: Iterable[int]) -> None:
        """Loads keys; while that fails, goes on with those that are at hand, for a bounded time."""
        now = self._monotonic()
        if now >= self._away_until:
            try:
                await load
            except _Away as away:
                log.warning("privacy.keys_unavailable", problem=str(away))
                self._away_until = self._monotonic() + RETRY_S
            else:
                return
        load.close()
        for key_id in at_hand:
            if (held := self._by_id.get(key_id)) is not None and now < held.usable_until:
                held.fresh_until = min(self._away_until, held.usable_until)

    async def _load_scopes(self, scopes: set[KeyScope]) -> None:
        stored = await self._asked(self._store.of_scopes(scopes))
        missing = sorted(scopes - {key.scope for key in stored}, key=lambda scope: scope.purpose)
        if missing:
            keys = [(new_key(), scope.purpose) for scope in missing]
            wrapped = await self._asked(self._wrapper.wrap(keys))
            added = [NewKey(scope, one.wrapped_by, one.wrapped) for scope, one in zip(missing, wrapped, strict=True)]
            await self._asked(self._store.add(added))
            # Another process may have been faster: what is stored counts.
            stored = [*stored, *await self._asked(self._store.of_scopes(missing))]
        await self._take(stored)

    async def _load_ids(self, ids: set[int]) -> None:
        stored = await self._asked(self._store.of_ids(ids))
        await self._take(stored)
        # A number without a key is like one whose key is destroyed.
        self._hold_destroyed(ids - {key.id for key in stored})

    async def _take(self, stored: Sequence[StoredKey]) -> None:
        self._hold_destroyed(key.id for key in stored if key.wrapped is None)
        there = [
            (key, WrappedKey(key.wrapped_by, key.wrapped))
            for key in stored
            if key.wrapped is not None and not self._is_still_there(key)
        ]
        if not there:
            return
        opened = await self._asked(self._wrapper.unwrap([(wrapped, key.scope.purpose) for key, wrapped in there]))
        now = self._monotonic()
        for (key, _), raw in zip(there, opened, strict=True):
            self._id_of[key.scope] = key.id
            self._hold(key.id, _Held(DataKey.of(key.id, raw), key.wrapped, now + FRESH_S, now))
            if key.scope == INDEX:
                self._index = BlindIndex(raw)

    def _is_still_there(self, stored: StoredKey) -> bool:
        """Whether a key is at hand that was unwrapped not long ago, and is stored as it was: then it is fresh again."""
        now, held = self._monotonic(), self._by_id.get(stored.id)
        if held is None or held.key is None or held.wrapped != stored.wrapped or now >= held.unwrapped_at + AGAIN_S:
            return False
        held.fresh_until = now + FRESH_S
        return True

    def _hold_destroyed(self, ids: Iterable[int]) -> None:
        now = self._monotonic()
        for key_id in ids:
            self._hold(key_id, _Held(None, None, now, now))

    def _hold(self, key_id: int, held: _Held) -> None:
        self._by_id.pop(key_id, None)
        self._by_id[key_id] = held
        while len(self._by_id) > MOST_KEYS:
            del self._by_id[next(iter(self._by_id))]

    async def _asked(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except (WrapperDownError, WrapperError) as error:
            raise _Away(str(error)) from error
        except ServiceError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            raise _Away(error.reason) from error


class _Away(Exception):  # noqa: N818 - a state, not a mistake
    """What stores or keeps the keys cannot be asked now."""
