"""AccessService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from typing_extensions import override

from messaging_service.access.domain.key_record import MAX_OVERLAP, no_such_key
from messaging_service.access.grpc.key_messages import from_key, to_status, to_terms
from messaging_service.access.key_store import KeyFilter
from messaging_service.access.manage_keys import ManageKeys
from messaging_service.access.resolve_keys import ResolveKeys
from messaging_service.access.watch_keys import KeyWatch
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.grpc import list_pages, wire
from service_kit import page_token
from service_kit.access.api_key import is_key_id
from service_kit.access.caller import caller
from service_kit.access.principal_messages import from_principal
from service_kit.audit.actor import actor
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import access_pb2 as pb
from tukupay.sms.messaging.v1 import access_pb2_grpc


class AccessServicer(access_pb2_grpc.AccessServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, keys: ManageKeys, resolving: ResolveKeys, watch: KeyWatch) -> None:
        self._keys = keys
        self._resolving = resolving
        self._watch = watch

    @override
    async def CreateKey(self, request: pb.CreateKeyRequest, context: Context) -> pb.CreateKeyResponse:
        issued = await self._keys.create(to_terms(request.terms, self._keys.now()), caller(), actor=actor())
        return pb.CreateKeyResponse(key=from_key(issued.record, self._keys.now()), secret=issued.secret)

    @override
    async def GetKey(self, request: pb.GetKeyRequest, context: Context) -> pb.GetKeyResponse:
        return pb.GetKeyResponse(key=from_key(await self._keys.get(_id(request.key_id)), self._keys.now()))

    @override
    async def ListKeys(self, request: pb.ListKeysRequest, context: Context) -> pb.ListKeysResponse:
        size = list_pages.page_size(request.page_size)
        account = request.user_id if request.HasField("user_id") else None
        if account is not None and (problem := text_problem(account, MAX_IDENTIFIER)):
            raise invalid([Violation("user_id", reasons.INVALID_IDENTIFIER, problem)])
        wanted = KeyFilter(account, to_status(request.status))
        question = (wanted.account_id, wanted.status)
        found = await self._keys.list(wanted, size + 1, _after(request.page_token, question))
        page, token = found[:size], ""
        if len(found) > size:
            token = page_token.encode((page[-1].created_at.isoformat(), page[-1].id), question)
        now = self._keys.now()
        return pb.ListKeysResponse(keys=[from_key(key, now) for key in page], next_page_token=token)

    @override
    async def RotateKey(self, request: pb.RotateKeyRequest, context: Context) -> pb.RotateKeyResponse:
        overlap = _to_overlap(request.overlap) if request.HasField("overlap") else None
        rotated = await self._keys.rotate(_id(request.key_id), overlap, caller(), actor=actor())
        now = self._keys.now()
        return pb.RotateKeyResponse(
            key=from_key(rotated.issued.record, now),
            secret=rotated.issued.secret,
            replaced=from_key(rotated.replaced, now),
        )

    @override
    async def RevokeKey(self, request: pb.RevokeKeyRequest, context: Context) -> pb.RevokeKeyResponse:
        revoked = await self._keys.revoke(_id(request.key_id), actor=actor())
        return pb.RevokeKeyResponse(key=from_key(revoked, self._keys.now()))

    @override
    async def ResolveKey(self, request: pb.ResolveKeyRequest, context: Context) -> pb.ResolveKeyResponse:
        key = await self._resolving.resolve(_id(request.key_id), request.secret_sha256)
        return pb.ResolveKeyResponse(
            principal=from_principal(key.principal()),
            networks=key.terms.networks,
            expires_time=None if key.terms.expires_at is None else wire.from_instant(key.terms.expires_at),
        )

    @override
    async def WatchKeys(
        self, request: pb.WatchKeysRequest, context: Context
    ) -> AsyncGenerator[pb.WatchKeysResponse, None]:
        async with aclosing(self._watch.watch()) as watch:
            async for ids in watch:
                yield pb.WatchKeysResponse(changed_key_ids=ids)


def _id(text: str) -> str:
    """The id of a key; what cannot be one does not exist."""
    if not text:
        raise invalid([Violation("key_id", reasons.REQUIRED, "is empty; give the id of a key")])
    if not is_key_id(text):
        raise no_such_key()
    return text


def _after(token: str, question: list_pages.Question) -> tuple[datetime, str] | None:
    """Where the page before ended; None for the first page. Raises ServiceError INVALID."""
    if not token:
        return None
    at, key_id = page_token.decode(token, question, 2)
    try:
        instant = datetime.fromisoformat(str(at))
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None or not is_key_id(str(key_id)):
        raise page_token.refused("is not a token that this service made; start again without it")
    return instant, str(key_id)


def _to_overlap(overlap: Duration) -> timedelta:
    # More than a timedelta holds is refused as what is merely too long.
    seconds = max(-1, min(overlap.seconds, round(MAX_OVERLAP.total_seconds()) + 1))
    return timedelta(seconds=seconds, microseconds=overlap.nanos // 1_000)
