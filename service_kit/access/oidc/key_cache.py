"""The keys of one issuer, kept, and fetched again when that is due or a token names one that is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import jwt
import structlog

from service_kit import reasons
from service_kit.access.oidc.issuer import Issuer
from service_kit.access.oidc.key_set import KeySet, KeySetError
from service_kit.errors import Kind, ServiceError

FETCH_AGAIN_S: Final = 30.0
"""Least time between two fetches for the sake of a `kid` that is not known, whoever names how many of them."""
RETRY_S: Final = 5.0
"""Least time between two fetches while there are no keys at all."""
REFRESH_S: Final = 300.0
"""After this time the keys are fetched anew, while those at hand go on serving: one that is withdrawn ends so."""
KEEP_S: Final = 3_600.0
"""For this long keys serve when the issuer is away."""

log = structlog.get_logger()

Fetch = Callable[[Issuer], Awaitable[KeySet]]
"""Raises KeySetError."""


class KeyCache:
    """The keys of one issuer. There is one fetch at a time; who needs it waits for the same."""

    def __init__(self, issuer: Issuer, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: KeySet = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._is_away = False
        self._flight: asyncio.Task[None] | None = None

    async def key(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """The key that a token names, for its algorithm; None when the issuer has no such key.

        Raises ServiceError IDENTITY_PROVIDER_UNAVAILABLE when that cannot be known now.
        """
        age_s = self._age_s()
        if age_s > KEEP_S:
            self._keys = {}
        bound = self._keys.get(kid)
        if bound is None:
            await self._look_again()
            bound = self._keys.get(kid)
            if bound is None and (self._is_away or not self._keys):
                raise _unavailable(self.issuer)
        elif age_s > REFRESH_S:
            self._start(FETCH_AGAIN_S)
        return None if bound is None else bound.get(algorithm)

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait({self._flight})

    async def _look_again(self) -> None:
        """Fetches the keys unless that was done just now."""
        self._start(FETCH_AGAIN_S if self._keys else RETRY_S)
        if self._flight is not None:
            # The fetch is bounded in time, and goes on for the others when this caller leaves.
            await asyncio.wait({self._flight})

    def _start(self, pause_s: float) -> None:
        now = self._monotonic()
        if self._flight is None and (self._tried_at is None or now - self._tried_at >= pause_s):
            self._tried_at = now
            self._flight = asyncio.get_running_loop().create_task(self._refresh(), name=f"keys of {self.issuer.name}")

    async def _refresh(self) -> None:
        try:
            keys = await self._fetch(self.issuer)
        except KeySetError as error:
            self._is_away = True
            log.warning("oidc.keys_not_fetched", issuer=self.issuer.name, problem=str(error))
        except Exception:  # whatever it is, the keys at hand serve on and it is tried again
            self._is_away = True
            log.exception("oidc.fetch_crashed", issuer=self.issuer.name)
        else:
            self._keys, self._fetched_at, self._is_away = keys, self._monotonic(), False
            log.info("oidc.keys_fetched", issuer=self.issuer.name, keys=len(keys))
        finally:
            self._flight = None

    def _age_s(self) -> float:
        """How old the keys are; 0 when there are none."""
        return 0.0 if self._fetched_at is None else self._monotonic() - self._fetched_at


def _unavailable(issuer: Issuer) -> ServiceError:
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.IDENTITY_PROVIDER_UNAVAILABLE,
        f"the keys of the identity provider {issuer.name} cannot be had now; try again",
        retry_after=timedelta(seconds=RETRY_S),
    )
