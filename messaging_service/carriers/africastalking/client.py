"""Speaks HTTP to the carrier: one message a request, bounded in time and size, and never twice."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import httpx

from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.domain.submission import Submission

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
    """Connections to the carrier, one for each request that is in flight at the same time.

    Each connection has a transport of its own, and the one that was used last is used next: a pool of httpx
    looks at all of its connections for each request, which at a window of 100 costs more than all the rest.
    Whoever calls bounds how many requests there are, and how long each may take as a whole.

    Nothing is tried again here, redirects are not followed, and neither proxies nor credentials are taken
    from the environment. A method raises httpx.HTTPError when there is no whole HTTP answer.
    """

    def __init__(self, settings: AfricasTalkingSettings) -> None:
        self._settings = settings
        self._base = httpx.URL(settings.base_url)
        self._headers = {
            "Host": self._base.netloc.decode("ascii"),
            "apiKey": settings.api_key,
            "Accept": "application/json",
            # An answer is a few hundred bytes; what is not compressed cannot be a bomb.
            "Accept-Encoding": "identity",
            "User-Agent": "tukupay-sms",
        }
        self._extensions = {
            "timeout": {
                "connect": settings.connect_timeout_s,
                "pool": settings.connect_timeout_s,
                "write": settings.response_timeout_s,
                "read": None,
            }
        }
        self._tls = ssl.create_default_context()
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._is_closed = False

    async def send(self, handover: Handover) -> Reply:
        """Posts a message; cancelling it leaves `handover.begun` to show what may have left."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(handover.payload)),
        }
        return await self._exchange(self._request("POST", MESSAGING, headers, handover.body()))

    async def account(self) -> Reply:
        """Asks for the account's data."""
        target = f"{ACCOUNT}?{urlencode({'username': self._settings.username})}"
        return await self._exchange(self._request("GET", target, {}, None))

    async def close(self) -> None:
        """Closes every connection that is not in use, and the others as soon as they are not."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().aclose()

    def _request(
        self, method: str, target: str, headers: Mapping[str, str], content: AsyncIterator[bytes] | None
    ) -> httpx.Request:
        return httpx.Request(
            method,
            self._base.join(target),
            headers={**self._headers, **headers},
            content=content,
            extensions=self._extensions,
        )

    async def _exchange(self, request: httpx.Request) -> Reply:
        if self._is_closed:
            raise httpx.ConnectError("the carrier is stopped")
        transport = self._idle.pop() if self._idle else self._transport()
        try:
            response = await transport.handle_async_request(request)
            try:
                return await _read(response)
            finally:
                await response.aclose()
        finally:
            await self._put_back(transport)

    async def _put_back(self, transport: httpx.AsyncHTTPTransport) -> None:
        if self._is_closed:
            await transport.aclose()
        else:
            self._idle.append(transport)

    def _transport(self) -> httpx.AsyncHTTPTransport:
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=self._settings.keep_alive_s)
        return httpx.AsyncHTTPTransport(verify=self._tls, limits=one, retries=0, trust_env=False)


async def _read(response: httpx.Response) -> Reply:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            return Reply(response.status_code, b"", is_whole=False)
    return Reply(response.status_code, bytes(body), is_whole=True)
