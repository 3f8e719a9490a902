"""What this gateway knows of API keys: it asks the service that keeps them once, and is notified when one changes.

While the watch of changes holds, an answer is good for 30 seconds. Without it a key is asked about again after one
second, so that a revocation holds within two seconds all the same; if nobody answers, a key that was known goes on for
a minute, and any other is turned away.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway_http.shared.asserted_caller import Caller
from service_kit.access.api_key import ApiKey
from service_kit.settings import Network

MAX_KEYS: Final = 10_000
"""Of each kind: those that are valid, and those that are not."""
MAX_QUESTIONS: Final = 256
"""Under way at once."""
WATCHED_S: Final = 30.0
UNWATCHED_S: Final = 1.0
GRACE_S: Final = 60.0
"""For how long after it was last confirmed a key goes on when nobody answers."""
NOT_VALID_S: Final = 5.0
_ATTEMPTS: Final = 3


class NotCheckedError(Exception):
    """Nobody can tell now whether a key is valid."""


class KeyNotValidError(Exception):
    """The key is unknown, was revoked, or has expired."""


@dataclass(frozen=True, slots=True)
class ResolvedKey:
    """What a key may do, as the service that keeps it answered."""

    caller: Caller
    networks: tuple[Network, ...]
    """Where it is valid; empty: anywhere."""
    expires_at: float
    """Seconds since 1970; infinite for a key that does not expire."""


ResolveKey = Callable[[ApiKey], Awaitable[ResolvedKey]]
"""Asks the service. Raises KeyNotValidError, and NotCheckedError when it does not answer."""


@dataclass(slots=True)
class _Known:
    key_id: str
    key: ResolvedKey
    confirmed_at: float
    fresh_until: float


@dataclass(slots=True)
class _Question:
    key: ApiKey
    answer: asyncio.Future[ResolvedKey | type[Exception]]
    is_outdated: bool = False
    """Whether the key may have changed since it was asked: the answer may be of before."""


class KeyCounts(NamedTuple):
    """Figures of what is known of keys."""

    hits: int
    """Requests whose key was at hand, as valid or as not, since the start."""
    misses: int
    """Requests whose key had to be asked about, since the start."""
    valid: int
    """Keys that are kept as valid, outdated answers included."""
    not_valid: int
    staleness_s: float
    """Seconds since the watch last said something, or since the start."""


class KnownKeys:
    """Keeps answers by the SHA-256 of the whole key: secrets are neither kept nor compared character by character."""

    def __init__(self, resolve: ResolveKey, *, clock: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        """`clock`: seconds, monotonic; `wall_clock`: seconds since 1970."""
        self._resolve = resolve
        self._clock = clock
        self._wall_clock = wall_clock
        self._known: dict[bytes, _Known] = {}
        self._digest_of: dict[str, bytes] = {}
        self._not_valid: dict[bytes, float] = {}
        self._questions: dict[bytes, _Question] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._is_watched = False
        self._news_at = clock()
        self._hits = self._misses = 0

    def counts(self) -> KeyCounts:
        """The figures of now."""
        staleness_s = self._clock() - self._news_at
        return KeyCounts(self._hits, self._misses, len(self._known), len(self._not_valid), staleness_s)

    # What requests ask.

    def known(self, digest: bytes) -> ResolvedKey | None:
        """The valid key with this SHA-256, when that needs no question; this is what most requests cost."""
        known = self._known.get(digest)
        if known is None or self._clock() >= known.fresh_until or self._wall_clock() >= known.key.expires_at:
            return None
        self._hits += 1
        return known.key

    async def resolved(self, key: ApiKey) -> ResolvedKey:
        """The valid key that was shown. Raises KeyNotValidError and NotCheckedError.

        Requests that show the same key wait for one answer.
        """
        if (known := self.known(key.digest)) is not None:
            return known
        if self._clock() < self._not_valid.get(key.digest, -math.inf):
            self._hits += 1
            raise KeyNotValidError
        self._misses += 1
        question = self._questions.get(key.digest)
        if question is None:
            if len(self._questions) >= MAX_QUESTIONS:
                return self._during_grace(key)
            loop = asyncio.get_running_loop()
            question = self._questions[key.digest] = _Question(key, loop.create_future())
            self._asking.add(task := loop.create_task(self._ask(question)))
            task.add_done_callback(self._asking.discard)
        # A caller that leaves does not take the answer from the others.
        answer = await asyncio.shield(question.answer)
        if isinstance(answer, type):
            raise answer
        return answer

    # What the watch tells.

    def watch_opened(self) -> None:
        """From now on no change is missed; what was answered before may be outdated."""
        self._is_watched = True
        self._news_at = self._clock()
        self._doubt()

    def watch_lost(self) -> None:
        """Changes may be missed from now on."""
        self._is_watched = False
        self._doubt()

    def forget(self, key_ids: Iterable[str]) -> None:
        """The watch said something. Keys that changed or ended are asked about before they are let in again."""
        self._news_at = self._clock()
        changed = frozenset(key_ids)
        for key_id in changed:
            digest = self._digest_of.pop(key_id, None)
            if digest is not None:
                self._known.pop(digest, None)
        for question in self._questions.values():
            question.is_outdated |= question.key.id in changed

    def _doubt(self) -> None:
        for known in self._known.values():
            known.fresh_until = -math.inf
        for question in self._questions.values():
            question.is_outdated = True

    # How an answer is had.

    async def _ask(self, question: _Question) -> None:
        """Gives one answer to all who wait. What failed is given as its class: each raises an error of its own."""
        answer: ResolvedKey | type[Exception] = NotCheckedError
        try:
            answer = await self._answer(question)
        except (KeyNotValidError, NotCheckedError) as error:
            answer = type(error)
        finally:
            del self._questions[question.key.digest]
            question.answer.set_result(answer)

    async def _answer(self, question: _Question) -> ResolvedKey:
        key = question.key
        for _ in range(_ATTEMPTS):
            question.is_outdated = False
            asked_at = self._clock()
            try:
                resolved = await self._resolve(key)
            except KeyNotValidError:
                self._refuse(key)
                raise
            except NotCheckedError:
                return self._during_grace(key)
            if question.is_outdated:
                continue
            if self._wall_clock() >= resolved.expires_at:
                self._refuse(key)
                raise KeyNotValidError
            self._keep(key, resolved, asked_at)
            return resolved
        # It changes faster than it is answered.
        raise NotCheckedError

    def _keep(self, key: ApiKey, resolved: ResolvedKey, asked_at: float) -> None:
        # Put in anew, so that the one confirmed longest ago comes first.
        self._drop(key)
        fresh_s = WATCHED_S if self._is_watched else UNWATCHED_S
        self._known[key.digest] = _Known(key.id, resolved, asked_at, asked_at + fresh_s)
        self._digest_of[key.id] = key.digest
        if len(self._known) > MAX_KEYS:
            oldest = self._known.pop(next(iter(self._known)))
            self._digest_of.pop(oldest.key_id, None)

    def _drop(self, key: ApiKey) -> None:
        if self._known.pop(key.digest, None) is not None:
            self._digest_of.pop(key.id, None)

    def _refuse(self, key: ApiKey) -> None:
        self._drop(key)
        self._not_valid.pop(key.digest, None)
        self._not_valid[key.digest] = self._clock() + NOT_VALID_S
        if len(self._not_valid) > MAX_KEYS:
            del self._not_valid[next(iter(self._not_valid))]

    def _during_grace(self, key: ApiKey) -> ResolvedKey:
        known = self._known.get(key.digest)
        if known is None:
            raise NotCheckedError
        now = self._clock()
        if now >= known.confirmed_at + GRACE_S or self._wall_clock() >= known.key.expires_at:
            self._drop(key)
            raise NotCheckedError
        known.fresh_until = min(now + UNWATCHED_S, known.confirmed_at + GRACE_S)
        return known.key
