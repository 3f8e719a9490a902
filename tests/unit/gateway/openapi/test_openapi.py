"""The OpenAPI document is valid, complete, and made of bodies that the routes really take and give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from grpc import aio
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway_http.bootstrap import Gateway
from gateway_http.openapi.operation import BodyOperation
from gateway_http.rest_api import OPERATIONS, openapi
from gateway_http.settings import GatewaySettings
from gateway_http.shared.problem_reasons import FIELD_REASONS, REASONS
from gateway_http.shared.request_body import JsonBody
from gateway_http.shared.route import RestRoute
from gateway_http.sms import send_sms_route

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "error-codes.md"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi()


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


async def test_every_route_is_documented_and_every_documented_route_is_there(document: dict[str, Any]) -> None:
    channel = aio.insecure_channel("127.0.0.1:1")
    gateway = Gateway(GatewaySettings(), channel, channel)
    assert all(isinstance(route, RestRoute) for route in gateway.routes)
    served = {(method.lower(), path_of(route.path)) for route in gateway.routes for method in route.methods or ()}
    served.add((send_sms_route.METHOD.lower(), send_sms_route.PATH))
    documented = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert {pair for pair in served if pair[0] != "head"} == documented
    await channel.close()


def path_of(template: str) -> str:
    return re.sub(r":\w+}", "}", template)


def test_operation_ids_are_unique() -> None:
    identifiers = [operation.operation_id for operation in OPERATIONS]
    assert len(identifiers) == len(set(identifiers))


def examples(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            contents = [operation.get("requestBody", {}).get("content", {})]
            contents += [response.get("content", {}) for response in operation["responses"].values()]
            for content in contents:
                for media in content.values():
                    for example in media.get("examples", {}).values():
                        yield media["schema"], example["value"]


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    seen = 0
    for schema, value in examples(document):
        validator = OAS31Validator({**schema, "components": document["components"]})
        assert [error.message for error in validator.iter_errors(value)] == []
        seen += 1
    assert seen > 30


def test_every_instant_of_an_answer_says_that_it_is_one(document: dict[str, Any]) -> None:
    instants = [
        (schema["title"], name, properties)
        for schema in document["components"]["schemas"].values()
        for name, properties in schema.get("properties", {}).items()
        if re.search(r"(At|Until|Timestamp|effectiveFrom)$", name)
    ]
    assert len(instants) > 20
    assert [(title, name) for title, name, properties in instants if "date-time" not in str(properties)] == []


def test_every_request_example_is_taken_by_its_route() -> None:
    with_body = [operation for operation in OPERATIONS if isinstance(operation, BodyOperation)]
    for operation in with_body:
        assert operation.body_examples
        for example in operation.body_examples.values():
            JsonBody(operation.body).decode(msgspec.json.encode(example))
    assert len({operation.body for operation in with_body}) >= 19


def test_every_answer_shape_is_closed_over_its_examples(document: dict[str, Any]) -> None:
    """An example with a field that no schema has would promise something that is never sent."""
    for schema, value in examples(document):
        check_fields(document, schema, value)


def check_fields(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, list):
        for element in value:
            check_fields(document, schema.get("items", {}), element)
    elif isinstance(value, dict) and "properties" in schema:
        assert set(value) <= set(schema["properties"])
        for name, member in value.items():
            check_fields(document, schema["properties"][name], member)


def test_every_reason_is_in_the_document_and_in_the_guide(document: dict[str, Any]) -> None:
    reasons = {f"| `{reason}` | {r.status} | {r.title}. {r.meaning} |" for reason, r in REASONS.items()}
    fields = {f"| `{reason}` | {meaning} |" for reason, meaning in FIELD_REASONS.items()}
    lines = set(document["info"]["description"].splitlines())
    assert reasons | fields <= lines
    _, tables = GUIDE.read_text("utf-8").split("## Why a request is refused")
    assert {line for line in tables.splitlines() if line.startswith("| `")} == reasons | fields


def test_every_documented_problem_has_the_status_of_its_reason() -> None:
    for operation in OPERATIONS:
        for status, reasons in operation.problems.items():
            for reason in reasons:
                assert REASONS[reason].status == status or reason == "NO_PRICE"


def test_the_documentation_page_names_no_other_host() -> None:
    static = Path(__file__).parents[4] / "gateway_http" / "system" / "static"
    for file in static.iterdir():
        text = file.read_text("utf-8")
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text
