"""Finds out who makes a gRPC call: by its certificate, its token, or the word of a caller that may vouch for others.

In this order: the URI in the caller's certificate; the token in `authorization: Bearer …`, which is an API key, a token
of an identity provider or one of the file of identities. A caller with the scope `assert:principal` may then say for
whom it calls, in `x-sms-principal-bin`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Protocol

from service_kit import reasons
from service_kit.access import api_key, principal_messages
from service_kit.access.asserted import vouched
from service_kit.access.bad_credentials import BadCredentials, too_many
from service_kit.access.bearer_tokens import bearer_of
from service_kit.access.identities import Identities
from service_kit.access.principal import OPEN, Principal
from service_kit.access.refusals import scope_missing, unauthenticated
from service_kit.access.scopes import ASSERT_PRINCIPAL, SELDOM
from service_kit.errors import ServiceError, Violation, invalid
from service_kit.grpc.access_control import Metadata, Peer
from service_kit.grpc.access_metrics import Refused, uncounted
from service_kit.grpc.peers import address_of, ip_address_of

AUTHORIZATION: Final = "authorization"
MAX_TOKEN: Final = 16 * 1024
"""Characters of a token; longer ones are not looked at."""
KEPT_S: Final = 1.0
"""Seconds for which an API key that was valid is taken for valid without asking again: revoking holds within 2."""
MAX_KEPT: Final = 10_000
"""Most keys, and most asserted principals, that are kept in memory."""

_NO_CREDENTIAL: Final = (
    "the call has no credential; send `authorization: Bearer <token>`, or a certificate whose URI is known here"
)
_UNKNOWN_CERTIFICATE: Final = "no identity here has the URI of this certificate; add it to the file of identities"
_UNKNOWN_TOKEN: Final = "the token is not valid; it may have been replaced or revoked"  # noqa: S105 - says of one
_NOT_HERE: Final = "credentials of this kind are not accepted here"


class ResolveCredential(Protocol):
    """Who shows a credential that is checked elsewhere than in the file of identities: an API key, or a JWT."""

    async def __call__(self, credential: str, address: str | None) -> Principal:
        """The principal of a credential shown from an IP address, which is None when it came through a socket file.

        Raises ServiceError: UNAUTHENTICATED when it is not valid, whyever; UNAVAILABLE when nobody can tell now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Resolvers:
    """The credentials that a service accepts beside those of the file of identities; None: it does not."""

    api_key: ResolveCredential | None = None
    jwt: ResolveCredential | None = None


class Authentication:
    """Implements Authenticator for a service that requires access."""

    def __init__(
        self,
        identities: Callable[[], Identities],
        resolvers: Resolvers = Resolvers(),
        *,
        refused: Refused = uncounted,
        clock: Callable[[], float] = time.monotonic,
        bad: BadCredentials | None = None,
    ) -> None:
        """`identities`: those known at present. `refused` is called with the cause of each refusal.

        `bad` limits how many bad credentials an address may show; None for as many as it likes. A good one is served
        whatever its address showed before.
        """
        self._bad = bad
        self._identities = identities
        self._resolvers = resolvers
        self._refused = refused
        self._clock = clock
        self._keys: dict[tuple[bytes, str | None], tuple[float, Principal]] = {}
        self._asserted = Assertions(refused)

    async def __call__(self, metadata: Metadata, peer: Peer) -> Principal:
        """The caller. Raises ServiceError as Authenticator does."""
        return self._asserted.principal(await self._own(metadata, peer), metadata)

    async def _own(self, metadata: Metadata, peer: Peer) -> Principal:
        uri = _uri_of(peer)
        if uri is not None and (workload := self._identities().of_uri(uri)) is not None:
            return workload
        token = bearer_of(metadata.get(AUTHORIZATION))
        if token is None:
            if uri is not None:
                raise self._unauthenticated("certificate", _UNKNOWN_CERTIFICATE)
            raise self._unauthenticated("no_credential", _NO_CREDENTIAL)
        try:
            return await self._of_token(token, address_of(peer.peer()))
        except ServiceError as error:
            if error.reason != reasons.UNAUTHENTICATED or self._bad is None:
                raise
            wait_s = self._bad.shown(ip_address_of(peer.peer()))
            if wait_s is None:
                raise
            self._refused("limited")
            raise too_many(wait_s) from None

    async def _of_token(self, token: str, address: str | None) -> Principal:
        if len(token) > MAX_TOKEN:
            raise self._unauthenticated("token", _UNKNOWN_TOKEN)
        if api_key.is_key(token):
            return await self._of_key(token, address)
        if token.count(".") == 2:
            return await self._resolved("jwt", self._resolvers.jwt, token, address)
        found = self._identities().of_token(token)
        if found is None:
            raise self._unauthenticated("token", _UNKNOWN_TOKEN)
        return found

    async def _of_key(self, key: str, address: str | None) -> Principal:
        mark, now = (sha256(key.encode("utf-8", "surrogatepass")).digest(), address), self._clock()
        kept = self._keys.get(mark)
        if kept is not None and now < kept[0]:
            return kept[1]
        principal = await self._resolved("api_key", self._resolvers.api_key, key, address)
        _bound(self._keys)
        self._keys[mark] = (now + KEPT_S, principal)
        return principal

    async def _resolved(
        self, cause: str, resolve: ResolveCredential | None, credential: str, address: str | None
    ) -> Principal:
        if resolve is None:
            raise self._unauthenticated(cause, _NOT_HERE)
        try:
            principal = await resolve(credential, address)
        except ServiceError as error:
            self._refused(cause if error.reason == reasons.UNAUTHENTICATED else "unavailable")
            raise
        # Whatever its source says, it is no program of the platform.
        return (
            principal if principal.scopes.isdisjoint(SELDOM) else replace(principal, scopes=principal.scopes - SELDOM)
        )

    def _unauthenticated(self, cause: str, problem: str) -> ServiceError:
        self._refused(cause)
        return unauthenticated(problem)


class Assertions:
    """For whom a call is made, when another one than its caller is named in its metadata."""

    def __init__(self, refused: Refused = uncounted) -> None:
        self._refused = refused
        self._decoded: dict[bytes, Principal] = {}

    def principal(self, asserter: Principal, metadata: Metadata) -> Principal:
        """The principal that the asserter calls for: itself, unless it names another one.

        Raises ServiceError: PERMISSION_DENIED when it may not, INVALID when it names none.
        """
        data = metadata.get(principal_messages.METADATA_KEY)
        if data is None:
            return asserter
        if not asserter.may(ASSERT_PRINCIPAL):
            self._refused("assertion")
            raise scope_missing(ASSERT_PRINCIPAL)
        raw = data.encode() if isinstance(data, str) else data
        found = self._decoded.get(raw)
        if found is None:
            try:
                found = principal_messages.decode(raw)
            except ValueError as error:
                self._refused("assertion")
                problem = f"{error}; send a tukupay.sms.common.v1.Principal"
                violation = Violation(principal_messages.METADATA_KEY, reasons.MALFORMED, problem)
                raise invalid([violation]) from None
            _bound(self._decoded)
            self._decoded[raw] = found
        return vouched(asserter, found)


class OpenAccess:
    """Implements Authenticator for a service without authentication: everybody may do all.

    A gateway that checks credentials may still say for whom it calls, and its callers are kept to what they may do.
    """

    def __init__(self, refused: Refused = uncounted) -> None:
        self._asserted = Assertions(refused)

    async def __call__(self, metadata: Metadata, _peer: Peer) -> Principal:
        """The caller. Raises ServiceError as Authenticator does."""
        return self._asserted.principal(OPEN, metadata)


def _uri_of(peer: Peer) -> str | None:
    """The URI in the certificate that the caller showed; None without one. One with several URIs is nobody's."""
    uris = list(peer.auth_context().get("peer_uri", ()))
    return uris[0].decode("utf-8", "replace") if len(uris) == 1 else None


def _bound(kept: dict[bytes, Principal] | dict[tuple[bytes, str | None], tuple[float, Principal]]) -> None:
    """Makes room for one more, at the cost of the one that was kept longest."""
    while len(kept) >= MAX_KEPT:
        del kept[next(iter(kept))]  # type: ignore[arg-type]  # a key of the same dictionary
