"""Who is traced, and how many."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import pytest
from starlette.types import Scope
from typing_extensions import override

from gateway_http.openapi.route_access import RouteAccess
from gateway_http.shared.admission import OpenAdmission
from gateway_http.shared.asserted_caller import Caller
from gateway_http.shared.problem import ProblemError
from gateway_http.shared.request_tracing import TracedAdmission, span_of
from gateway_http.sms.sms_operations import SEND_SMS
from service_kit import reasons
from service_kit.tracing.sampling import Sampling
from service_kit.tracing.span import bind_span, current_span
from tests.doubles.recorded_spans import recording

SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limited = 0

    def __call__(self) -> float:
        return self.now

    def note(self) -> None:
        self.limited += 1


def sampling(clock: Clock, ratio: float, most: int, draw: Callable[[], float] = lambda: 0.0) -> Sampling:
    return Sampling(ratio, most, limited=clock.note, clock=clock, draw=draw)


def test_a_part_of_the_requests_is_sampled() -> None:
    numbers = cycle([0.0, 0.09, 0.1, 0.99])
    chosen = sampling(Clock(), 0.1, 100, lambda: next(numbers))
    assert [chosen.samples() for _ in range(4)] == [True, True, False, False]
    assert not sampling(Clock(), 0.0, 100).samples()


def test_no_more_are_traced_in_a_second_than_allowed_whoever_asks() -> None:
    clock = Clock()
    chosen = sampling(clock, 1.0, 4)
    assert [chosen.samples(), chosen.samples()] == [True, True]
    assert [chosen.followed(SAMPLED) is not None for _ in range(4)] == [True, True, False, False]
    assert clock.limited == 2
    assert chosen.followed("garbage") is None
    assert clock.limited == 2
    clock.now = 0.5
    assert [chosen.samples() for _ in range(3)] == [True, True, False]


class _Refusing(OpenAdmission):
    @override
    async def admit(self, scope: Scope, access: RouteAccess) -> Caller | None:
        raise ProblemError(reasons.UNAUTHENTICATED, "who are you?")


def request(header: bytes) -> Scope:
    return {"type": "http", "method": "POST", "scheme": "https", "headers": [(b"traceparent", header)]}


async def test_who_is_not_let_in_is_not_followed() -> None:
    with recording(ratio=1.0) as (tracer, exporter):
        scope = request(SAMPLED.encode())
        with pytest.raises(ProblemError):
            await TracedAdmission(_Refusing(), tracer).admit(scope, SEND_SMS.access)
        assert span_of(scope) is current_span() is None
        let_in = request(SAMPLED.encode())
        await TracedAdmission(OpenAdmission(), tracer).admit(let_in, SEND_SMS.access)
        span = span_of(let_in)
        assert span is not None
        assert span is current_span()
        bind_span(None)
        span.end()
    assert [f"{one.parent.span_id:016x}" for one in exporter.taken if one.parent] == ["00f067aa0ba902b7"]
