"""The methods that a server answers, as they are added to it: none may be there without a rule of access."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import grpc
from grpc import aio

from service_kit.access.method_rules import RulesError


class RegisteredMethods:
    """Notes the methods that are added to a server from now on."""

    def __init__(self, server: aio.Server) -> None:
        self._names: set[str] = set()
        self._nameless: list[grpc.GenericRpcHandler] = []
        self._add = server.add_generic_rpc_handlers
        # gRPC has no hook for it, and does not say later what was added.
        server.add_generic_rpc_handlers = self._noted  # type: ignore[method-assign]

    def check(self, ruled: Collection[str]) -> None:
        """Raises RulesError that names every method, and every handler, that has no rule.

        `ruled`: full names, as calls have them: `/package.Service/Method`.
        """
        faults = [*sorted(self._names.difference(ruled)), *(f"a handler {each!r}" for each in self._nameless)]
        if faults:
            raise RulesError("the server answers what has no rule of access:\n  " + "\n  ".join(faults))

    def _noted(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        handlers = tuple(generic_rpc_handlers)
        for handler in handlers:
            # What `grpc.method_handlers_generic_handler` makes, generated code included, has its methods there.
            methods: dict[str, Any] | None = getattr(handler, "_method_handlers", None)
            if methods is None:
                self._nameless.append(handler)
            else:
                self._names.update(methods)
        self._add(handlers)
