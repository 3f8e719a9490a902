"""API keys as a test gives them out, over real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from service_kit.access import api_key
from service_kit.access.principal import AccessMode, Principal, PrincipalKind
from service_kit.access.principal_messages import from_principal
from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import Scripted, at
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb
from tukupay.sms.messaging.v1 import access_pb2_grpc

ACCESS = "tukupay.sms.messaging.v1.AccessService"
KEY_ID = "tk_live_4fQ2bT9x"
SECRET = "tk_live_4fQ2bT9xK0b7sY1qVn3Zr8LwD5cHt2mXg6uPj9aE0Fh4Ri"


def key(**fields: Any) -> pb.ApiKey:
    """A key as it is shown."""
    known: dict[str, Any] = {
        "key_id": KEY_ID,
        "terms": pb.KeyTerms(name="shop", mode=common.ACCESS_MODE_LIVE, accounts=["user123"], scopes=["sms:send"]),
        "status": pb.KEY_STATUS_ACTIVE,
        "created_time": at("2026-12-15T08:00:00Z"),
        "created_by": "operator:jane",
    }
    return pb.ApiKey(**(known | fields))


class AccessDouble(Scripted, access_pb2_grpc.AccessServiceServicer):
    """Resolves the keys that a test made here; shows one, and makes every other."""

    def __init__(self) -> None:
        super().__init__()
        self._resolved: dict[bytes, pb.ResolveKeyResponse] = {}
        self._watches: list[asyncio.Queue[pb.WatchKeysResponse | None]] = []
        self.watched = asyncio.Event()
        self.questions: list[str] = []
        """The ids of keys that were asked about."""
        self.is_silent = False
        """Whether watches stay open and say nothing, as when packets are lost."""
        self.failure: Exception | None = None
        """What ResolveKey raises instead."""

    def forget(self) -> None:
        super().forget()
        self.questions.clear()

    def issue(
        self,
        *scopes: str,
        accounts: frozenset[str] | None = frozenset({"user123"}),
        mode: AccessMode = AccessMode.LIVE,
        **others: Any,
    ) -> str:
        """A new key, whole; `others` are fields of what it resolves to."""
        new = api_key.generate(mode)
        principal = Principal(new.key.id, PrincipalKind.API_KEY, accounts, frozenset(scopes), mode=mode)
        fields: dict[str, Any] = {"principal": from_principal(principal), **others}
        self._resolved[new.key.digest] = pb.ResolveKeyResponse(**fields)
        return new.text

    def revoke(self, text: str) -> None:
        """Ends a key, and tells it to whoever watches."""
        ended = api_key.parse(text)
        del self._resolved[ended.digest]
        for watch in self._watches:
            watch.put_nowait(pb.WatchKeysResponse(changed_key_ids=[ended.id]))

    def cut_watches(self) -> None:
        """Ends every watch."""
        for watch in self._watches:
            watch.put_nowait(None)

    async def ResolveKey(self, request: Any, context: Any) -> pb.ResolveKeyResponse:  # noqa: N802
        self.questions.append(request.key_id)
        if self.failure is not None:
            raise self.failure
        resolved = self._resolved.get(request.secret_sha256)
        if resolved is None:
            raise ServiceError(Kind.NOT_FOUND, "KEY_NOT_FOUND", "there is no such key")
        return resolved

    async def WatchKeys(self, request: Any, context: Any) -> AsyncIterator[pb.WatchKeysResponse]:  # noqa: N802
        watch: asyncio.Queue[pb.WatchKeysResponse | None] = asyncio.Queue()
        self._watches.append(watch)
        try:
            yield pb.WatchKeysResponse()
            self.watched.set()
            while True:
                try:
                    news = await asyncio.wait_for(watch.get(), 0.5)
                except TimeoutError:
                    news = pb.WatchKeysResponse()
                if news is None:
                    return
                if not self.is_silent:
                    yield news
        finally:
            self._watches.remove(watch)

    async def _known(self, call: str, request: Any, context: Any, response: Any) -> Any:
        if request.key_id != KEY_ID:
            self.requests.append(request)
            raise ServiceError(Kind.NOT_FOUND, "KEY_NOT_FOUND", "there is no such key; list the keys to find its id")
        return await self._answer(call, request, context, response)

    async def CreateKey(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = pb.CreateKeyResponse(key=key(terms=request.terms), secret=SECRET)
        return await self._answer("CreateKey", request, context, answer)

    async def GetKey(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._known("GetKey", request, context, pb.GetKeyResponse(key=key()))

    async def ListKeys(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer("ListKeys", request, context, pb.ListKeysResponse(keys=[key()]))

    async def RotateKey(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = pb.RotateKeyResponse(key=key(), secret=SECRET, replaced=key(replaced_by_key_id=KEY_ID))
        return await self._known("RotateKey", request, context, answer)

    async def RevokeKey(self, request: Any, context: Any) -> Any:  # noqa: N802
        ended = key(status=pb.KEY_STATUS_REVOKED, revoked_time=at("2026-12-16T11:00:00Z"), revoked_by="operator:jane")
        return await self._known("RevokeKey", request, context, pb.RevokeKeyResponse(key=ended))
