"""Lets callers in on a system that requires a credential of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256

from starlette.types import Scope
from typing_extensions import override

from gateway_http.access.bearer import MissingCredentialError, credential_of, missing, not_valid, text_of
from gateway_http.access.known_keys import KeyNotValidError, KnownKeys, NotCheckedError, ResolvedKey
from gateway_http.openapi.route_access import RouteAccess
from gateway_http.shared import reasons
from gateway_http.shared.admission import Admission
from gateway_http.shared.asserted_caller import Caller, asserted
from gateway_http.shared.client_address import address_of, is_within
from gateway_http.shared.gateway_meters import CredentialMeter
from gateway_http.shared.problem import DEFAULT_RETRY_AFTER_S, ProblemError, from_service_error
from service_kit import request_id
from service_kit.access import api_key
from service_kit.access.bad_credentials import BadCredentials
from service_kit.access.refusals import all_accounts_needed, scope_missing
from service_kit.audit.actor import Actor
from service_kit.audit.refused_calls import RefusedCalls
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.authentication import ResolveCredential
from service_kit.settings import Network


class EdgeAccess(Admission):
    """Implements Admission. A key that is known costs a hash and two looks into tables; nothing is logged of it."""

    def __init__(
        self,
        keys: KnownKeys,
        tokens: ResolveCredential | None,
        bad: BadCredentials,
        *,
        proxies: Sequence[Network],
        meter: CredentialMeter,
        denied: RefusedCalls,
    ) -> None:
        """`denied` counts what callers are refused.

        `tokens` checks what is no API key; None where only keys are taken. `proxies` are those that are believed.
        """
        self._keys = keys
        self._tokens = tokens
        self._bad = bad
        self._proxies = proxies
        self._meter = meter
        self._denied = denied

    @override
    async def admit(self, scope: Scope, access: RouteAccess) -> Caller | None:
        try:
            credential = credential_of(scope["headers"])
            if credential is None:
                raise missing()
            key = self._keys.known(sha256(credential).digest())
            caller = (
                await self._checked(credential, scope, access) if key is None else self._from_there(key, scope, access)
            )
        except MissingCredentialError:
            self._meter.credential_refused("missing")
            raise
        except ProblemError as error:
            raise self._refused(error, scope) from None
        principal = caller.principal
        for needed in access.scopes:
            if not principal.may(needed):
                self.denied(caller, access, needed, self.origin(scope))
                raise from_service_error(scope_missing(needed))
        if access.is_for_all_accounts and principal.accounts is not None:
            self.denied(caller, access, None, self.origin(scope))
            raise from_service_error(all_accounts_needed())
        return caller

    @override
    def origin(self, scope: Scope) -> str | None:
        address = address_of(scope, self._proxies)
        return None if address is None else str(address)

    @override
    def denied(self, caller: Caller, access: RouteAccess, missing: str | None, origin: str | None) -> None:
        self._meter.credential_refused("account" if missing is None else "scope")
        self._note(caller, access, missing, origin)

    def _note(self, caller: Caller, access: RouteAccess, missing: str | None, origin: str | None) -> None:
        principal = caller.principal
        actor = Actor(principal.id, principal.kind.value, origin, request_id.current())
        self._denied.note(actor, ", ".join(access.methods), missing)

    async def _checked(self, credential: bytes, scope: Scope, access: RouteAccess) -> Caller:
        text = text_of(credential)
        if api_key.is_key(text):
            return self._from_there(await self._resolved(text), scope, access)
        if self._tokens is None:
            raise not_valid("the credential is no API key; give one, as it was issued")
        try:
            address = address_of(scope, self._proxies)
            return asserted(await self._tokens(text, None if address is None else str(address)))
        except ServiceError as error:
            if error.kind is Kind.UNAUTHENTICATED:
                raise not_valid(error.message) from None
            raise from_service_error(error) from None

    async def _resolved(self, text: str) -> ResolvedKey:
        try:
            key = api_key.parse(text)
        except ValueError as error:
            raise not_valid(f"the API key {error}; copy the whole of it, as it was issued") from None
        try:
            return await self._keys.resolved(key)
        except KeyNotValidError:
            raise not_valid("the API key is not valid: it is unknown, was revoked, or has expired") from None
        except NotCheckedError:
            raise ProblemError(
                reasons.MESSAGING_UNAVAILABLE,
                "nobody can tell now whether the API key is valid; nothing was done, try again shortly",
                headers={"Retry-After": str(DEFAULT_RETRY_AFTER_S)},
            ) from None

    def _from_there(self, key: ResolvedKey, scope: Scope, access: RouteAccess) -> Caller:
        if key.networks:
            address = address_of(scope, self._proxies)
            if address is None or not is_within(address, key.networks):
                self._note(key.caller, access, None, self.origin(scope))
                raise ProblemError(
                    reasons.PERMISSION_DENIED,
                    "this API key is not valid from the address that you call from; call from one of its networks",
                )
        return key.caller

    def _refused(self, error: ProblemError, scope: Scope) -> ProblemError:
        """What is answered: after too many bad credentials no more is said of them."""
        if error.http_status != 401:
            self._meter.credential_refused("address" if error.http_status == 403 else "unchecked")
            return error
        wait_s = self._bad.shown(address_of(scope, self._proxies))
        if wait_s is None:
            self._meter.credential_refused("invalid")
            return error
        self._meter.credential_refused("limited")
        return ProblemError(
            reasons.TOO_MANY_BAD_CREDENTIALS,
            "too many credentials from this address were not valid; correct yours, and try again after the delay",
            headers={"Retry-After": str(max(1, math.ceil(wait_s)))},
        )
