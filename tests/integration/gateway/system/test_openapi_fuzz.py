"""Requests made up from the OpenAPI document, good and bad: no server error, and every answer fits the document."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from gateway_http.rest_api import openapi
from gateway_http.settings import REQUIRED, GatewaySettings
from tests.integration.gateway.conftest import ANY_PORT, running_gateway
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


@contextmanager
def gateway_with(settings: GatewaySettings | None = None) -> Iterator[tuple[str, str]]:
    """A gateway in a thread of its own, as the requests here are made by blocking calls: its URL, and a key for all."""
    known: list[tuple[str, str]] = []
    stops: list[Callable[[], object]] = []
    started = threading.Event()

    async def serve() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with running_gateway(settings) as running:
            if settings is not None:
                # Nothing may draw random numbers while requests are made up.
                await running.keys.watched.wait()
            known.append((f"http://127.0.0.1:{running.port}", running.keys.issue("*", accounts=None)))
            stops.append(lambda: loop.call_soon_threadsafe(stopping.set))
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(20)
    yield known[0]
    stops[0]()
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def gateway_url() -> Iterator[str]:
    with gateway_with() as (url, _):
        yield url


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


def operations(*, is_open: bool) -> Iterator[Any]:
    """Every operation of the document."""
    for result in schemathesis.openapi.from_dict(without_bounds(openapi(is_open=is_open))).get_all_operations():
        yield result.ok()  # type: ignore[union-attr]  # the document is valid


def cases() -> Iterator[Any]:
    """Every operation with good requests, and with bad ones where a request can be bad."""
    for operation in operations(is_open=True):
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


@pytest.fixture(scope="module")
def guarded_gateway() -> Iterator[tuple[str, str]]:
    settings = GatewaySettings(http_address=ANY_PORT, access=REQUIRED, bad_credentials_per_minute=1_000_000)
    with gateway_with(settings) as url_and_key:
        yield url_and_key


@pytest.mark.parametrize("operation", [pytest.param(one, id=one.label) for one in operations(is_open=False)])
def test_every_answer_fits_the_document_with_a_key_and_without(
    guarded_gateway: tuple[str, str], operation: Any
) -> None:
    """`ignored_auth` repeats each request without the key, and with one that is made up."""
    url, key = guarded_gateway

    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    @settings(
        max_examples=effort(2, 100),
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    def answers_fit(case: Any) -> None:
        case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {key}"}, checks=[*CHECKS, ignored_auth])

    answers_fit()
