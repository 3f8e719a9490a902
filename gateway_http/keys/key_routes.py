"""The routes of API keys: make, list, show, rotate, revoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.keys.key_models import STATUSES, Key, KeyRotation, KeyWithSecret, NewKey, RotatedKey
from gateway_http.keys.key_operations import CREATE_KEY, GET_KEY, LIST_KEYS, REVOKE_KEY, ROTATE_KEY
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.query import chosen
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.upstream import Call
from tukupay.sms.messaging.v1 import access_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.access_pb2_grpc import AccessServiceAsyncStub

_READ = Call("messaging")
_MAKE = Call("messaging", "the key may or may not exist: look for it in GET /api/access/keys, and revoke it")
_REVOKE = Call("messaging", "the key may or may not be revoked: repeating the request is safe")


class KeyRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, access: AccessServiceAsyncStub) -> None:
        self._access = access

    @handles_body(CREATE_KEY, refuses_key=True)
    async def create(self, request: RestRequest, new: NewKey) -> Response:
        """Makes a key and answers 201 with it and its secret."""
        made = await request.answer(self._access.CreateKey, new.to_request(), _MAKE)
        return json_answer(KeyWithSecret(key=Key.of(made.key), secret=made.secret), 201)

    @handles(LIST_KEYS)
    async def list_keys(self, request: RestRequest) -> Response:
        """Answers with a bare array, newest first."""
        question = pb.ListKeysRequest(
            user_id=request.query.get("userId"),
            status=chosen(request.query, "status", STATUSES, pb.KEY_STATUS_UNSPECIFIED),
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        page = await request.answer(self._access.ListKeys, question, _READ)
        return request.page([Key.of(key) for key in page.keys], page.next_page_token)

    @handles(GET_KEY)
    async def show(self, request: RestRequest) -> Response:
        """Answers with one key."""
        question = pb.GetKeyRequest(key_id=request.path["keyId"])
        return json_answer(Key.of((await request.answer(self._access.GetKey, question, _READ)).key))

    @handles_body(ROTATE_KEY, refuses_key=True)
    async def rotate(self, request: RestRequest, rotation: KeyRotation) -> Response:
        """Makes a key in the place of another one and answers with both."""
        made = await request.answer(self._access.RotateKey, rotation.to_request(request.path["keyId"]), _MAKE)
        return json_answer(RotatedKey(key=Key.of(made.key), secret=made.secret, replaced=Key.of(made.replaced)))

    @handles(REVOKE_KEY)
    async def revoke(self, request: RestRequest) -> Response:
        """Ends a key and answers with it."""
        question = pb.RevokeKeyRequest(key_id=request.path["keyId"])
        return json_answer(Key.of((await request.answer(self._access.RevokeKey, question, _REVOKE)).key))
