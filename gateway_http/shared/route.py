"""What a route is: an operation of the OpenAPI document, and the method that answers it.

A class of routes declares each of its methods with `handles` or `handles_body`. The declaration reads what every route
reads alike, so a method has only its own lines: the question to a service, and the answer made of what came back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from gateway_http.openapi.operation import BodyOperation, Operation
from gateway_http.shared import idempotency_key
from gateway_http.shared.admission import Admission
from gateway_http.shared.asserted_caller import Caller
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.problem import from_service_error
from gateway_http.shared.query import limit, next_link, parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.upstream import Call, answer_of
from service_kit.access import origins
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.access_control import apply_rule
from service_kit.request_id import to_metadata

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from grpc.aio import UnaryUnaryMultiCallable

B = TypeVar("B", bound=msgspec.Struct)
Question = TypeVar("Question", bound="Message")
Answer = TypeVar("Answer")


class DeniedHereError(Exception):
    """The rule of a method refuses a caller, before any service is asked."""

    def __init__(self, caller: Caller, refusal: ServiceError) -> None:
        super().__init__(refusal.reason)
        self.caller = caller
        self.refusal = refusal
        self.missing = refusal.metadata.get("scope")
        """The scope that it lacks; None for an account."""


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request whose query has been checked against its operation."""

    operation: Operation
    path: Mapping[str, str]
    """The parameters in the path, by name."""
    query: Mapping[str, str]
    """The parameters in the query that were given, by name; all required ones are among them."""
    key: str | None
    """The `Idempotency-Key` as it was given, of an operation that keeps keys; None without one."""
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    """With the caller's credential among them."""
    receive: Receive
    request_id: str
    caller: Caller | None
    """None on a system without authentication, and of a public operation."""
    origin: str | None
    """The IP address that it comes from; None when it is not known."""

    async def answer(self, method: UnaryUnaryMultiCallable[Question, Answer], question: Question, call: Call) -> Answer:
        """What a service answers; raises ProblemError when it fails, or when the caller may not ask that."""
        metadata = self.metadata_of(question)
        return await answer_of(method(question, timeout=call.timeout_s, metadata=metadata), call)

    def metadata_of(self, question: Message) -> tuple[tuple[str, str | bytes], ...]:
        """What goes with a call: the id of the request, and its caller.

        Raises ProblemError when the rule of the method refuses the caller. The service applies the same rule.
        """
        rule = self.operation.access.rule_of(question)
        common: tuple[tuple[str, str | bytes], ...] = to_metadata()
        if self.origin is not None:
            common = (*common, (origins.METADATA_KEY, self.origin))
        if self.caller is None:
            return common
        try:
            apply_rule(rule, self.caller.principal, question)
        except ServiceError as error:
            if error.kind is Kind.PERMISSION_DENIED:
                raise DeniedHereError(self.caller, error) from None
            raise from_service_error(error) from None
        return (*common, *self.caller.metadata)

    async def pages(
        self,
        method: UnaryUnaryMultiCallable[Any, Answer],
        question: Any,  # noqa: ANN401 - a request with a page token
        call: Call,
    ) -> AsyncGenerator[Answer, None]:
        """Every page of a list that REST shows as a whole; raises ProblemError when one fails."""
        while True:
            page: Any = await self.answer(method, question, call)
            yield page
            if not page.next_page_token:
                return
            question.page_token = page.next_page_token

    def page_size(self) -> int:
        """The `limit` parameter, up to the maximum that the operation documents; 0 when it is absent."""
        return limit(self.query, self.operation.maximum("limit"))

    def page_token(self) -> str:
        """The `pageToken` parameter; empty for the first page."""
        return self.query.get("pageToken", "")

    def page(self, content: Any, next_page_token: str) -> Response:  # noqa: ANN401 - any struct
        """A page as JSON, with a link to the next one unless its token is empty."""
        if not next_page_token:
            return json_answer(content)
        # Only an id that something has leads to a page, so it is safe to repeat in the link.
        path = self.operation.path.format(**self.path)
        return json_answer(content, headers={"Link": next_link(path, self.query, next_page_token)})


@dataclass(frozen=True, slots=True)
class Handler:
    """A method of a class of routes, with the operation that it answers."""

    operation: Operation
    method: Callable[[Any, RestRequest], Awaitable[Response]]
    """Takes the instance and the request. Raises ProblemError."""
    refuses_key: bool
    unlike: str | None


Method = Callable[[Any, RestRequest], Awaitable[Response]]
BodyMethod = Callable[[Any, RestRequest, B], Awaitable[Response]]


def handles(
    operation: Operation, *, refuses_key: bool = False, unlike: str | None = None
) -> Callable[[Method], Handler]:
    """Declares a method that answers an operation; a body is left unread.

    `refuses_key` is for a route whose repetition has another effect, and which keeps no keys. `unlike` is a word that
    the last parameter of the path cannot be, since a route beside this one has it there.
    """
    return lambda method: Handler(operation, method, refuses_key, unlike)


def handles_body(operation: BodyOperation[B], *, refuses_key: bool = False) -> Callable[[BodyMethod[B]], Handler]:
    """Declares a method that answers an operation, and takes the body of the request as its last argument."""
    body = JsonBody(operation.body)

    def declared(method: BodyMethod[B]) -> Handler:
        async def with_body(routes: object, request: RestRequest) -> Response:
            read = await read_body(request.receive, request.headers)
            return await method(routes, request, body.decode(read if read or operation.body_required else b"{}"))

        return Handler(operation, with_body, refuses_key, None)

    return declared


class RestRoutes:
    """A class of routes: those of one noun, which speak to one service."""

    @classmethod
    def handlers(cls) -> list[Handler]:
        """What the class declares, in the order of the document."""
        return [each for each in vars(cls).values() if isinstance(each, Handler)]

    @classmethod
    def operations(cls) -> list[Operation]:
        """What the document says of the class."""
        return [handler.operation for handler in cls.handlers()]

    def routes(self, admission: Admission) -> list[RestRoute]:
        """The routes to mount; `admission` lets callers in."""
        handlers = self.handlers()
        methods = {path: _methods(path, handlers) for path in dict.fromkeys(each.operation.path for each in handlers)}
        return [RestRoute(handler, self, methods[handler.operation.path], admission) for handler in handlers]


class RestRoute(Route):
    """One method of one path. It cannot be made without an operation, so every route is documented."""

    def __init__(self, handler: Handler, routes: RestRoutes, allowed: str, admission: Admission) -> None:
        """`allowed` names all methods of the path, for the answer to any other one."""
        operation = handler.operation
        known, required = operation.names("query"), operation.names("query", only_required=True)
        keeps_key = idempotency_key.NAME in operation.names("header")

        async def answered(request: Request) -> Response:
            caller = None
            if not operation.access.is_public:
                caller = await admission.admit(request.scope, operation.access)
            headers = request.scope["headers"]
            if handler.refuses_key:
                idempotency_key.refuse_key(headers)
            query = parameters(request.scope["query_string"], known, required)
            key = idempotency_key.given_key(headers) if keeps_key else None
            origin = admission.origin(request.scope)
            read = RestRequest(
                operation,
                request.path_params,
                query,
                key,
                headers,
                request.receive,
                request.state.request_id,
                caller,
                origin,
            )
            try:
                return await handler.method(routes, read)
            except DeniedHereError as error:
                admission.denied(error.caller, operation.access, error.missing, origin)
                raise from_service_error(error.refusal) from None

        super().__init__(_template(operation.path, handler.unlike), answered, methods=[operation.method.upper()])
        self.operation = operation
        self._allowed = allowed

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(405, headers={"Allow": self._allowed})
        await super().handle(scope, receive, send)


def _methods(path: str, handlers: Sequence[Handler]) -> str:
    methods = [handler.operation.method.upper() for handler in handlers if handler.operation.path == path]
    return ", ".join([*methods, "HEAD"] if "GET" in methods else methods)


def _template(path: str, unlike: str | None) -> str:
    """The path as Starlette matches it."""
    if unlike is None:
        return path
    name = f"not_{unlike}"
    register_url_convertor(name, _segment_unlike(unlike))
    before, _, after = path.rpartition("}")
    return f"{before}:{name}}}{after}"


def _segment_unlike(word: str) -> Convertor[str]:
    """A path segment that is not the name of a route beside it, so that `GET …/resend` is a wrong method."""

    class Segment(Convertor[str]):
        regex = f"(?!{word}$)[^/]+"

        @override
        def convert(self, value: str) -> str:
            return value

        @override
        def to_string(self, value: str) -> str:
            return value

    return Segment()
