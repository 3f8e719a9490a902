"""The routes of privacy. Phone numbers travel in bodies only: the address of a request is written into logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.privacy.privacy_models import Erasure, NewErasure
from gateway_http.privacy.privacy_operations import ERASE_PHONE
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.route import RestRequest, RestRoutes, handles_body
from gateway_http.shared.upstream import Call

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.privacy_pb2_grpc import PrivacyServiceAsyncStub

_ERASE = Call("messaging", "part of it may or may not be erased: repeating the request is safe")


class PrivacyRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, privacy: PrivacyServiceAsyncStub) -> None:
        self._privacy = privacy

    @handles_body(ERASE_PHONE)
    async def erase(self, request: RestRequest, new: NewErasure) -> Response:
        """Erases a phone, and answers with what is gone and what waits."""
        erased = await request.answer(self._privacy.ErasePhone, new.to_request(), _ERASE)
        return json_answer(Erasure.of(erased))
