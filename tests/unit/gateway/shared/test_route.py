"""A class of routes declares its methods; what every route reads alike is read before them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway_http.openapi.operation import Answer, BodyOperation, Operation, Tag
from gateway_http.openapi.parameters import key_parameter, page_parameters, path_parameter, query_parameter
from gateway_http.openapi.route_access import PUBLIC
from gateway_http.shared.admission import OpenAdmission
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.problem import ProblemError
from gateway_http.shared.route import RestRequest, RestRoute, RestRoutes, handles, handles_body

TAG = Tag("Parcels", "What is on its way.")
PARCEL = path_parameter("parcelId", "The parcel.", "parcel_1")


class Parcel(msgspec.Struct, forbid_unknown_fields=True):
    """A parcel."""

    weight: int = 1


SEND = BodyOperation(
    "post",
    "/parcels",
    "sendParcel",
    TAG,
    "Send",
    "Sends.",
    access=PUBLIC,
    answers={201: Answer("Sent.", Parcel, {})},
    problems={},
    parameters=(key_parameter("Yours."),),
    body=Parcel,
    body_examples={},
    body_required=False,
)
LIST = Operation(
    "get",
    "/parcels/{parcelId}/events",
    "listParcelEvents",
    TAG,
    "List",
    "Lists.",
    access=PUBLIC,
    answers={200: Answer("The events.", Parcel, {})},
    problems={},
    parameters=(PARCEL, query_parameter("kind", "Which.", {"type": "string"}, required=True), *page_parameters("E", 7)),
)
WEIGH = Operation("post", "/parcels/{parcelId}", "weigh", TAG, "Weigh", "Weighs.", PUBLIC, {}, {}, parameters=(PARCEL,))


class ParcelRoutes(RestRoutes):
    @handles_body(SEND)
    async def send(self, request: RestRequest, parcel: Parcel) -> Response:
        return json_answer([parcel.weight, request.key])

    @handles(LIST)
    async def events(self, request: RestRequest) -> Response:
        return request.page([request.query["kind"], request.page_size(), request.page_token()], "more")

    @handles(WEIGH, refuses_key=True, unlike="events")
    async def weigh(self, request: RestRequest) -> Response:
        return json_answer(request.path["parcelId"])


ROUTES = {route.operation.operation_id: route for route in ParcelRoutes().routes(OpenAdmission())}


async def asked(
    route: RestRoute, path: str, *, query: str = "", body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[dict[bytes, bytes], Any]:
    """The headers and the body of the answer."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": route.operation.method.upper(),
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"content-type", b"application/json"), *headers],
        "state": {"request_id": "r"},
    }
    match, found = route.matches(scope)
    assert match.name == "FULL"
    scope |= found
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    await route.handle(scope, receive, send)
    return dict(sent[0]["headers"]), msgspec.json.decode(sent[1]["body"])


def test_a_class_offers_what_it_declares_in_its_order() -> None:
    assert ParcelRoutes.operations() == [SEND, LIST, WEIGH]
    assert [route.operation for route in ParcelRoutes().routes(OpenAdmission())] == [SEND, LIST, WEIGH]


async def test_a_body_comes_decoded_and_an_optional_one_may_be_missing() -> None:
    _, heavy = await asked(
        ROUTES["sendParcel"], "/parcels", body=b'{"weight": 3}', headers=((b"idempotency-key", b"k"),)
    )
    _, usual = await asked(ROUTES["sendParcel"], "/parcels")
    assert (heavy, usual) == ([3, "k"], [1, None])


async def test_a_page_is_as_long_as_asked_for_and_links_to_the_next_one() -> None:
    headers, page = await asked(ROUTES["listParcelEvents"], "/parcels/p1/events", query="kind=x&limit=7&pageToken=t")
    assert page == ["x", 7, "t"]
    assert headers[b"link"] == b'</parcels/p1/events?kind=x&limit=7&pageToken=more>; rel="next"'


@pytest.mark.parametrize("query", ["", "kind=x&limit=8", "kind=x&color=red", "kind="])
async def test_the_query_is_checked_by_the_operation(query: str) -> None:
    with pytest.raises(ProblemError) as refused:
        await asked(ROUTES["listParcelEvents"], "/parcels/p1/events", query=query)
    assert refused.value.reason == "INVALID_ARGUMENT"


async def test_a_key_is_refused_by_a_route_that_keeps_none() -> None:
    with pytest.raises(ProblemError) as refused:
        await asked(ROUTES["weigh"], "/parcels/p1", headers=((b"idempotency-key", b"k"),))
    assert [(fault.field, fault.reason) for fault in refused.value.errors] == [("Idempotency-Key", "NOT_ALLOWED")]


async def test_two_keys_are_refused_before_the_body_is_read() -> None:
    twice = ((b"idempotency-key", b"k"), (b"idempotency-key", b"l"))
    with pytest.raises(ProblemError) as refused:
        await asked(ROUTES["sendParcel"], "/parcels", body=b"no JSON", headers=twice)
    assert [fault.reason for fault in refused.value.errors] == ["REPEATED_PARAMETER"]


def test_the_word_of_a_route_beside_it_is_no_parameter() -> None:
    scope = {"type": "http", "method": "POST", "path": "/parcels/events"}
    assert ROUTES["weigh"].matches(scope)[0].name == "NONE"


async def test_a_wrong_method_is_told_those_of_the_path() -> None:
    with pytest.raises(HTTPException) as refused:
        await ROUTES["weigh"].handle({"type": "http", "method": "PUT"}, None, None)  # type: ignore[arg-type]  # not used
    assert refused.value.headers == {"Allow": "POST"}
