"""Finds out who calls messaging itself with an API key, without a gateway between."""

from __future__ import annotations

from typing import Final

from messaging_service.access.domain.key_terms import is_valid_from
from messaging_service.access.resolve_keys import ResolveKeys
from messaging_service.shared.domain import reasons
from service_kit.access.api_key import parse
from service_kit.access.principal import Principal
from service_kit.access.refusals import unauthenticated
from service_kit.errors import ServiceError

_MISTYPED: Final = "the API key is mistyped or cut off; give it as it was issued"
_NOT_VALID: Final = "the API key is not valid, or not from this address; it may have expired or been revoked"


class CheckKeys:
    """Checks the keys of callers over gRPC; whatever keeps one from being valid is answered alike."""

    def __init__(self, resolving: ResolveKeys) -> None:
        self._resolving = resolving

    async def __call__(self, credential: str, address: str | None) -> Principal:
        """The principal of a key shown from an IP address, which is None where there is none.

        Raises ServiceError UNAUTHENTICATED, and what ResolveKeys raises when it cannot be told now.
        """
        try:
            shown = parse(credential)
        except ValueError:
            raise unauthenticated(_MISTYPED) from None
        try:
            key = await self._resolving.resolve(shown.id, shown.digest)
        except ServiceError as error:
            if error.reason == reasons.KEY_NOT_FOUND:
                raise unauthenticated(_NOT_VALID) from None
            raise
        if not is_valid_from(key.terms, address):
            raise unauthenticated(_NOT_VALID)
        return key.principal()
