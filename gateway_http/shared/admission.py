"""Whether a request may come in, and whose it is: asked by each route before it reads a body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.types import Scope
from typing_extensions import override

from gateway_http.openapi.route_access import RouteAccess
from gateway_http.shared.asserted_caller import Caller
from gateway_http.shared.client_address import address_of
from service_kit.settings import Network


class Admission(Protocol):
    """Finds out who calls."""

    async def admit(self, scope: Scope, access: RouteAccess) -> Caller | None:
        """The caller of a request to a route with these rules; None where nobody is asked who they are.

        Raises ProblemError: 401 without a valid credential, 403 when it lacks a scope or is for single accounts where
        all are needed, 429 after too many bad ones from the same address, 503 when it cannot be checked now.
        """
        ...

    def origin(self, scope: Scope) -> str | None:
        """The IP address that a request comes from, for the audit log; None when it is not known."""
        ...

    def denied(self, caller: Caller, access: RouteAccess, missing: str | None, origin: str | None) -> None:
        """Notes that a caller was refused a route.

        `missing`: the scope that it lacks, None for an account. `origin`: as `origin` gives it.
        """
        ...


class OpenAdmission(Admission):
    """Implements Admission on a system without authentication: everybody is let in."""

    def __init__(self, proxies: Sequence[Network] = ()) -> None:
        """`proxies` are those that are believed."""
        self._proxies = proxies

    @override
    async def admit(self, scope: Scope, access: RouteAccess) -> Caller | None:
        return None

    @override
    def origin(self, scope: Scope) -> str | None:
        address = address_of(scope, self._proxies)
        return None if address is None else str(address)

    @override
    def denied(self, caller: Caller, access: RouteAccess, missing: str | None, origin: str | None) -> None:
        """Nobody is refused."""
