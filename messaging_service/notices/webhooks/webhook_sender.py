"""Posts events: signed by the Standard Webhooks scheme, bounded in time and size, to checked addresses only."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import httpx
from standardwebhooks import Webhook
from typing_extensions import override

from messaging_service.notices.delivery_ports import DeliveryAttempt, DeliveryBatch, PendingDelivery, Sender
from messaging_service.notices.domain.cloud_event import trace_of
from messaging_service.notices.domain.endpoints import Answer, answer_of
from messaging_service.notices.domain.retries import retry_after
from messaging_service.notices.domain.targets import Address
from messaging_service.notices.webhooks.guarded_targets import GuardedTargets, TargetRefusedError, TargetUnknownError
from service_kit.tracing.span import Attributes, SpanKind, trace_metadata
from service_kit.tracing.tracer import Tracer

CONTENT_TYPE: Final = "application/cloudevents+json"
MAX_ANSWER_BYTES: Final = 16_384
"""What is read of an answer, so that the connection can be used again. Nothing of it is kept: an answer that is shown
would let strangers read what only we can reach."""
BATCH_S: Final = 20.0
"""After this no further delivery of a batch is begun; with the time-out of the last one it ends within its lease."""
SPAN: Final = "POST webhook"
ADDRESSES: Final = 3
"""Addresses of a name that are tried when a connection cannot be made."""


Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class _Connection(Protocol):
    """What httpcore calls a stream."""

    async def aclose(self) -> None:
        """Closes it; harmless when it is closed."""
        ...


@dataclass(frozen=True, slots=True)
class _Line:
    """What posts of one batch go through."""

    http: httpx.AsyncClient
    trace: Trace
    """Called for each connection; see `_connections`."""
    now: Callable[[], datetime]


class WebhookSender(Sender):
    """Posts to webhooks, one delivery after another.

    Redirects are not followed, and neither proxies nor credentials are taken from the environment. Each batch has
    connections of its own: one that was made for a name must not carry what is meant for another name at the same
    address.
    """

    def __init__(
        self, targets: GuardedTargets, *, timeout_s: float, now: Callable[[], datetime], tracer: Tracer | None = None
    ) -> None:
        """`timeout_s`: longest time of one post, from the look-up of the name to the end of the answer.

        `tracer`: None where tracing is off.
        """
        self._tracer = tracer
        self._targets = targets
        self._timeout_s = timeout_s
        self._now = now
        self._tls = httpx.create_ssl_context()

    @override
    async def post(self, batch: DeliveryBatch) -> AsyncGenerator[DeliveryAttempt, None]:
        clock = asyncio.get_running_loop().time
        ends_at = clock() + BATCH_S
        signers = [Webhook(secret) for secret in batch.secrets]
        async with _connections() as trace, _client(self._tls, self._timeout_s) as http:
            for delivery in batch.deliveries:
                answer = await self._traced_try(_Line(http, trace, self._now), batch.url, delivery, signers)
                yield DeliveryAttempt(delivery, answer)
                if not answer.taken or clock() >= ends_at:
                    return

    async def _traced_try(self, line: _Line, url: str, delivery: PendingDelivery, signers: Sequence[Webhook]) -> Answer:
        """`_try`, in a span of the trace that the event comes from, if any; the receiver gets it as `traceparent`."""
        parent = None if self._tracer is None else trace_of(delivery.body)
        if self._tracer is None or parent is None:
            return await self._try(line, url, delivery, signers)
        attributes: Attributes = {
            "http.request.method": "POST",
            "http.request.resend_count": delivery.tries,
            "messaging.message.id": delivery.event_id,
        }
        with self._tracer.begin(SPAN, SpanKind.CLIENT, parent=parent, links=(parent,), attributes=attributes) as span:
            answer = await self._try(line, url, delivery, signers)
            if answer.status is not None:
                span.describe(attributes={"http.response.status_code": answer.status})
            if not answer.taken:
                span.fail(answer.error or str(answer.status))
            return answer

    async def _try(self, line: _Line, url: str, delivery: PendingDelivery, signers: Sequence[Webhook]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await self._targets.addresses(url)
                return await self._post(line, httpx.URL(url), addresses[:ADDRESSES], self._request(delivery, signers))
        except TargetRefusedError:
            return Answer(None, "TARGET_REFUSED")
        except TargetUnknownError:
            return Answer(None, "NAME_NOT_RESOLVED")
        except (TimeoutError, httpx.TimeoutException):
            return Answer(None, "TIMED_OUT")
        except httpx.ConnectError as error:
            is_tls = isinstance(error.__context__, ssl.SSLError) or "SSL" in str(error)
            return Answer(None, "TLS_FAILED" if is_tls else "NOT_CONNECTED")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            return Answer(None, "BROKEN_OFF")

    def _request(self, delivery: PendingDelivery, signers: Sequence[Webhook]) -> tuple[dict[str, str], bytes]:
        at = self._now()
        headers = {
            "content-type": CONTENT_TYPE,
            "user-agent": "tukupay-sms-webhooks/1",
            "webhook-id": delivery.event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signer.sign(delivery.event_id, at, delivery.body) for signer in signers),
            **dict(trace_metadata()),
        }
        return headers, delivery.body.encode()

    async def _post(
        self,
        line: _Line,
        url: httpx.URL,
        addresses: Sequence[Address],
        request: tuple[dict[str, str], bytes],
    ) -> Answer:
        headers, body = request
        # The connection goes to the address that was checked; TLS and the receiver still hear the name.
        headers = headers | {"host": url.netloc.decode()}
        extensions: dict[str, Any] = {"trace": line.trace}
        if url.scheme == "https":
            extensions["sni_hostname"] = url.host
        *others, last = addresses
        for address in others:
            try:
                return await _exchange(line, url.copy_with(host=str(address)), headers, body, extensions)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await _exchange(line, url.copy_with(host=str(last)), headers, body, extensions)


@asynccontextmanager
async def _connections() -> AsyncIterator[Trace]:
    """Yields the function that httpcore reports its steps to, and closes every connection at the end.

    A post that ends while TLS is negotiated leaves its connection to nobody. A receiver that never answers could make
    this process keep sockets until its garbage is collected.
    """
    opened: list[_Connection] = []

    async def trace(step: str, details: Mapping[str, Any]) -> None:
        if step == "connection.connect_tcp.complete":
            opened.append(details["return_value"])

    try:
        yield trace
    finally:
        for stream in opened:
            await stream.aclose()


def _client(tls: ssl.SSLContext, timeout_s: float) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=tls,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(timeout_s, connect=min(5.0, timeout_s)),
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
    )


async def _exchange(
    line: _Line, url: httpx.URL, headers: dict[str, str], body: bytes, extensions: dict[str, Any]
) -> Answer:
    async with line.http.stream("POST", url, headers=headers, content=body, extensions=extensions) as response:
        seen = 0
        async for piece in response.aiter_raw():
            seen += len(piece)
            if seen > MAX_ANSWER_BYTES:
                break
        return answer_of(response.status_code, retry_after(response.headers.get("retry-after"), line.now()))
