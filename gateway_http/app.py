"""The ASGI application: gives every request an id, leads it to its route, and turns failures into problems."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

import structlog
from starlette.exceptions import HTTPException
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from gateway_http.callbacks import callback_gate
from gateway_http.shared import problem, reasons
from gateway_http.shared.gateway_meters import RequestMeter
from gateway_http.shared.problem import ProblemError, no_such_route
from gateway_http.shared.request_body import ClientGoneError
from gateway_http.shared.request_tracing import request_answered, request_begun, request_refused
from gateway_http.shared.upstream import internal
from gateway_http.sms import send_sms_route
from gateway_http.sms.coalescer import SEND
from gateway_http.sms.send_sms_route import SendSmsRoute
from gateway_http.sms.sms_operations import SEND_SMS_BATCH
from service_kit.request_id import bind, new_request_id, valid
from service_kit.web.http_connection import Refusal, Rendered

log = structlog.get_logger()

_ENCODED_SLASH = re.compile(rb"%(?:2[fF]|5[cC])")


class GatewayApp:
    """Serves every route. The hot one goes past Starlette's router."""

    def __init__(self, send_sms_route: SendSmsRoute, routes: Sequence[Route], meter: RequestMeter) -> None:
        self._send_sms = send_sms_route
        self._meter = meter
        self._templates = {route.endpoint: route.path_format for route in routes}
        self._router = Router(routes, redirect_slashes=False, default=_route_not_found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        if scope["type"] != "http":
            raise RuntimeError(f"this gateway speaks HTTP only, not {scope['type']}")
        begun = time.perf_counter()
        request_begun(scope, begun)
        status = 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answered(scope, receive, noting_status)
        finally:
            path = self._template(scope)
            self._meter.answered(scope["method"], path, status, time.perf_counter() - begun)
            log.debug("http.answered", method=scope["method"], path=path, status=status)
            request_answered(scope, path, status)

    def refused(self, refusal: Refusal) -> Rendered:
        """Renders what the server refuses before it is a request that could be led to a route."""
        self._meter.answered("", None, refusal.status, 0.0)
        request_id = new_request_id().encode()
        error = ProblemError(refusal.reason, refusal.detail, refusal.status)
        headers = [(b"content-type", problem.CONTENT_TYPE), (b"x-request-id", request_id)]
        if refusal.status == 503:
            headers.append((b"retry-after", b"%d" % problem.DEFAULT_RETRY_AFTER_S))
        return headers, error.document(request_id.decode())

    def _template(self, scope: Scope) -> str | None:
        """The documented path that a request was led to; None when there is none."""
        if scope["path"] == send_sms_route.PATH:
            return send_sms_route.PATH
        endpoint = scope.get("endpoint")
        return None if endpoint is None else self._templates.get(endpoint)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope["headers"])
        bind(request_id.decode())
        try:
            if b"%" in scope["raw_path"] and _ENCODED_SLASH.search(scope["raw_path"]):
                # It is no separator (RFC 3986 §2.2): decoding it would bypass a proxy's rules for a path.
                raise no_such_route()  # noqa: TRY301 - one way out
            if scope["path"] == send_sms_route.PATH:
                if scope["method"] != send_sms_route.METHOD:
                    raise HTTPException(405, headers={"Allow": send_sms_route.METHOD})  # noqa: TRY301 - one way out
                await self._send_sms(scope, receive, send, request_id)
            else:
                await self._routed(scope, receive, send, request_id)
        except ClientGoneError:
            return
        except ProblemError as error:
            if error.part is not None and error.http_status < 500:
                log.info(
                    "http.refused",
                    method=scope["method"],
                    path=self._template(scope),
                    status=error.http_status,
                    reason=error.reason,
                    part=error.part,
                )
            await _answer(error, scope, send, request_id)
        except HTTPException as error:
            await _answer(_from_router(error), scope, send, request_id)
        except Exception:
            # The traceback goes to the log without local variables; they may hold texts and numbers.
            log.exception("http.failed")
            call = SEND if scope["path"] in {send_sms_route.PATH, SEND_SMS_BATCH.path} else None
            await _answer(internal(call), scope, send, request_id)

    async def _routed(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        # The router answers a wrong method by itself, in plain text, unless it finds an application.
        scope["app"] = self
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        await self._router(scope, receive, send_with_id)


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The caller's X-Request-Id when it is safe to repeat, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and valid(value):
            return value
    return new_request_id().encode()


def _shown(path: str) -> str:
    """A path as it may stand in a log: carriers post to paths that hold a secret."""
    return f"{callback_gate.PREFIX}…" if path.startswith(callback_gate.PREFIX) else path


async def _route_not_found(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise no_such_route()


def _from_router(error: HTTPException) -> ProblemError:
    if error.status_code != 405:
        return internal()
    allowed = (error.headers or {}).get("Allow", "")
    methods = ", ".join(sorted(allowed.split(", ")))
    return ProblemError(reasons.METHOD_NOT_ALLOWED, f"this path takes {methods}", headers={"Allow": methods})


async def _answer(error: ProblemError, scope: Scope, send: Send, request_id: bytes) -> None:
    status = error.http_status
    request_refused(scope, status, error.reason)
    if status >= 500:
        log.warning(
            "http.problem",
            method=scope["method"],
            path=_shown(scope["path"]),
            status=status,
            reason=error.reason,
            part=error.part,
        )
    body = error.document(request_id.decode())
    headers = [
        (b"content-type", problem.CONTENT_TYPE),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id),
        *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
