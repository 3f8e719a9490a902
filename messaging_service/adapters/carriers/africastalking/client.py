"""Speaks HTTP to the carrier: one message a request, bounded in time and size, and never twice."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import httpx

from messaging_service.adapters.carriers.africastalking.settings import AfricasTalkingSettings
from messaging_service.domain.submission import Submission

MESSAGING: Final = "/version1/messaging"
ACCOUNT: Final = "/version1/user"
MAX_ANSWER_BYTES: Final = 65_536
"""An answer about one recipient has a few hundred."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    is_whole: bool
    """False when it was longer than MAX_ANSWER_BYTES."""


class Handover:
    """One message as a request, and whether any byte of it may have left."""

    __slots__ = ("begun", "payload")

    def __init__(self, submission: Submission, settings: AfricasTalkingSettings) -> None:
        self.payload: Final = urlencode(
            {
                "username": settings.username,
                "to": submission.recipient,
                "message": "".join(submission.segmentation.segments),
                "from": submission.sender_id,
                "bulkSMSMode": "1",
                "enqueue": "1" if settings.enqueue else "0",
            }
        ).encode()
        self.begun = False
        """False proves that the carrier does not have the message: no byte of it was given to a connection."""

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body. The connection asks for it once it stands and the headers are written."""
        self.begun = True
        yield self.payload


class AfricasTalkingClient:
    """Connections to the carrier, as many as the window and one for looks at the account.

    Nothing is tried again here, redirects are not followed, and neither proxies nor credentials are taken
    from the environment. A method raises httpx.HTTPError when there is no whole HTTP answer.
    """

    def __init__(self, settings: AfricasTalkingSettings) -> None:
        self._settings = settings
        connections = settings.window + 1
        self._http = httpx.AsyncClient(
            base_url=settings.base_url,
            headers={
                "apiKey": settings.api_key,
                "Accept": "application/json",
                # An answer is a few hundred bytes; what is not compressed cannot be a bomb.
                "Accept-Encoding": "identity",
                "User-Agent": "tukupay-sms",
            },
            verify=ssl.create_default_context(),
            # How long an answer is waited for is the carrier's affair, which bounds every call as a whole.
            timeout=httpx.Timeout(
                None,
                connect=settings.connect_timeout_s,
                pool=settings.connect_timeout_s,
                write=settings.response_timeout_s,
            ),
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=settings.keep_alive_s,
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, handover: Handover) -> Reply:
        """Posts a message; cancelling it leaves `handover.begun` telling what may have left."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(handover.payload)),
        }
        return await self._exchange(
            self._http.build_request("POST", MESSAGING, headers=headers, content=handover.body())
        )

    async def account(self) -> Reply:
        """Asks for the account's data."""
        return await self._exchange(
            self._http.build_request("GET", ACCOUNT, params={"username": self._settings.username})
        )

    async def close(self) -> None:
        """Closes every connection."""
        await self._http.aclose()

    async def _exchange(self, request: httpx.Request) -> Reply:
        response = await self._http.send(request, stream=True)
        try:
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    return Reply(response.status_code, b"", is_whole=False)
            return Reply(response.status_code, bytes(body), is_whole=True)
        finally:
            await response.aclose()
