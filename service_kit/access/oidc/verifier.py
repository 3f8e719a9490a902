"""Verifies tokens of identity providers: signature, issuer, audience, time; and says who calls with them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import jwt
import structlog

from service_kit.access.oidc.claims import to_principal
from service_kit.access.oidc.fetch_keys import fetch_keys
from service_kit.access.oidc.issuer import Issuer
from service_kit.access.oidc.issuers_file import read_issuers_file
from service_kit.access.oidc.key_cache import Fetch, KeyCache
from service_kit.access.oidc.verified_tokens import VerifiedTokens
from service_kit.access.principal import Principal
from service_kit.access.refusals import unauthenticated
from service_kit.settings import SettingsError

MAX_TOKEN: Final = 16_384
"""Characters. A longer one is refused before anything of it is read."""
MAX_KID: Final = 256
LOOK_S: Final = 10.0
"""Between two looks at whether the issuers file has changed."""

log = structlog.get_logger()

_JWS: Final = jwt.PyJWS()
_UNREAD: Final = "the token cannot be read"
_CHECKS: Final[Any] = {
    "require": ["iss", "aud", "exp", "sub"],
    # Times are compared with the clock that is given here.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class TokenVerifier:
    """Finds out who calls with a token. What it has verified it keeps for a minute."""

    def __init__(
        self,
        issuers: Iterable[Issuer],
        *,
        fetch: Fetch = fetch_keys,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: seconds since 1970."""
        self._fetch = fetch
        self._now = now
        self._monotonic = monotonic
        self._verified = VerifiedTokens(now)
        self._issuers: dict[str, KeyCache] = {}
        self.use(issuers)

    def use(self, issuers: Iterable[Issuer]) -> None:
        """Takes the tokens of these issuers from now on; those that are as before keep their keys."""
        before = {cache.issuer.issuer: cache for cache in self._issuers.values()}
        self._issuers = {}
        for issuer in issuers:
            cache = before.get(issuer.issuer)
            if cache is None or cache.issuer != issuer:
                cache = KeyCache(issuer, self._fetch, self._monotonic)
            self._issuers[issuer.issuer] = cache
        self._verified.clear()

    async def verify(self, token: str) -> Principal:
        """Who calls with a token.

        Raises ServiceError: UNAUTHENTICATED when it is not valid, IDENTITY_PROVIDER_UNAVAILABLE when its issuer's keys
        cannot be had now.
        """
        if len(token) > MAX_TOKEN:
            raise unauthenticated(f"the token has more than {MAX_TOKEN} characters")
        if not token.isascii():
            raise unauthenticated(_UNREAD)
        if (known := self._verified.get(token)) is not None:
            return known
        header, unverified = _read(token)
        cache = self._issuers.get(_text(unverified.get("iss")))
        if cache is None:
            raise unauthenticated("the token is of no issuer that is trusted here")
        issuer = cache.issuer
        kid, algorithm = _key_named(header, issuer)
        key = await cache.key(kid, algorithm)
        if key is None:
            raise unauthenticated("the token is signed by a key that its issuer does not publish")
        claims = _verified_claims(token, key, issuer)
        expires_at = self._check_times(claims, issuer.leeway_s)
        principal = to_principal(claims, issuer)
        if self._issuers.get(issuer.issuer) is cache:
            self._verified.keep(token, principal, expires_at)
        return principal

    async def close(self) -> None:
        """Ends what is under way."""
        for cache in self._issuers.values():
            await cache.close()

    def _check_times(self, claims: dict[str, Any], leeway_s: float) -> float:
        """When the token ends, in seconds since 1970. Raises ServiceError when it has ended, or has not begun."""
        now = self._now()
        expires_at = _instant(claims["exp"])
        if now >= expires_at + leeway_s:
            raise unauthenticated("the token has expired")
        if any(now < _instant(claims[name]) - leeway_s for name in ("nbf", "iat") if name in claims):
            raise unauthenticated("the token is not valid yet")
        return expires_at


class FileVerifier:
    """A verifier of the tokens of the issuers in a file, which follows the file as it changes."""

    def __init__(
        self,
        path: Path,
        *,
        fetch: Fetch = fetch_keys,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises SettingsError when the file is wrong."""
        self._path = path
        self._monotonic = monotonic
        self._seen = self._stamp()
        self._looked_at = monotonic()
        self._verifier = TokenVerifier(read_issuers_file(path), fetch=fetch, now=now, monotonic=monotonic)

    async def verify(self, token: str) -> Principal:
        """As TokenVerifier.verify, for the issuers that the file has; a change is seen within 10 seconds."""
        if self._monotonic() - self._looked_at >= LOOK_S:
            self._follow()
        return await self._verifier.verify(token)

    async def __call__(self, credential: str, address: str | None = None) -> Principal:
        """Who shows a token, from wherever; as `verify`."""
        return await self.verify(credential)

    async def close(self) -> None:
        """Ends what is under way."""
        await self._verifier.close()

    def _follow(self) -> None:
        self._looked_at = self._monotonic()
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._verifier.use(read_issuers_file(self._path))
        except SettingsError as error:
            # What was read last holds; a file that was seen while it was written changes once more.
            log.warning("oidc.issuers_file_wrong", problem=str(error))
        else:
            log.info("oidc.issuers_file_read")

    def _stamp(self) -> tuple[int, int, int] | None:
        """What changes with the file; None while it cannot be looked at."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ctime_ns, status.st_size, status.st_ino


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, which nobody has verified yet."""
    try:
        parts = _JWS.decode_complete(token, options={"verify_signature": False})
        claims = json.loads(parts["payload"])
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise unauthenticated(_UNREAD) from None
    if not isinstance(claims, dict):
        raise unauthenticated(_UNREAD)
    return parts["header"], claims


def _key_named(header: dict[str, Any], issuer: Issuer) -> tuple[str, str]:
    """The key that a token says it is signed with, and the algorithm, which is one that the issuers file has."""
    algorithm, kid = _text(header.get("alg")), _text(header.get("kid"))
    if algorithm not in issuer.algorithms:
        raise unauthenticated("the token is signed by an algorithm that its issuer does not use")
    if issuer.types and _text(header.get("typ")).lower().removeprefix("application/") not in issuer.types:
        raise unauthenticated("the token is of another type than its issuer's tokens for this system")
    if not kid or len(kid) > MAX_KID:
        raise unauthenticated("the token does not name its key")
    return kid, algorithm


def _verified_claims(token: str, key: jwt.PyJWK, issuer: Issuer) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=issuer.audiences,
            issuer=issuer.issuer,
            options=_CHECKS,
        )
    except jwt.InvalidSignatureError:
        raise unauthenticated("the signature of the token is wrong") from None
    except jwt.InvalidAudienceError:
        raise unauthenticated("the token is not for this system") from None
    except jwt.MissingRequiredClaimError as error:
        raise unauthenticated(f"the token lacks the claim {error.claim}") from None
    except (jwt.PyJWTError, ValueError):
        raise unauthenticated("the token is not valid") from None


def _instant(claim: object) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float) or not math.isfinite(claim):
        raise unauthenticated("a time in the token is not a number of seconds")
    return float(claim)


def _text(claim: object) -> str:
    return claim if isinstance(claim, str) else ""
