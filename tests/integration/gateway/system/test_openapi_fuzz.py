"""Requests made up from the OpenAPI document, good and bad: no server error, and every answer fits the document."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from gateway_http.rest_api import openapi
from tests.integration.gateway.conftest import running_gateway
from tests.system.effort import effort

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@pytest.fixture(scope="module")
def gateway_url() -> Iterator[str]:
    """A gateway in a thread of its own, as the requests here are made by blocking calls."""
    ports: list[int] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        async with running_gateway() as running:
            ports.append(running.port)
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(20)
    yield f"http://127.0.0.1:{ports[0]}"
    loop.call_soon_threadsafe(stopping.set)
    thread.join(20)
    assert not thread.is_alive()
    loop.close()


def without_bounds(node: Any) -> Any:
    """The document without the lengths and amounts that the services check, and their doubles here do not."""
    if isinstance(node, list):
        return [without_bounds(element) for element in node]
    if not isinstance(node, dict):
        return node
    own = {"minLength", "maxLength", "maxItems", "exclusiveMinimum"}
    if node.get("type") == "number":
        own |= {"minimum", "maximum"}
    return {name: without_bounds(value) for name, value in node.items() if name not in own}


def cases() -> Iterator[Any]:
    """Every operation with good requests, and with bad ones where a request can be bad."""
    for result in schemathesis.openapi.from_dict(without_bounds(openapi(is_open=True))).get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # the document is valid
        yield pytest.param(operation, GenerationMode.POSITIVE, id=f"{operation.label} good")
        if operation.body or operation.query:
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{operation.label} bad")


@pytest.mark.parametrize(("operation", "mode"), list(cases()))
def test_every_answer_fits_the_document(gateway_url: str, operation: Any, mode: GenerationMode) -> None:
    # A batch takes SMS at fault, too: they fail alone, and its answer says so.
    checks = [check for check in CHECKS if check is not negative_data_rejection or "send-batch" not in operation.path]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=effort(15, 200),
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    def answers_fit(case: Any) -> None:
        case.call_and_validate(base_url=gateway_url, checks=checks)

    answers_fit()
