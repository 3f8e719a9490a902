"""Which route a message takes."""

from __future__ import annotations

import pytest

from messaging_service.carriers.domain.routing import DEFAULT_ROUTE, Leg, Route, Routes, only_route
from messaging_service.shared.domain.states import Priority

SAFARICOM = "+254712345678"
AIRTEL = "+254733123456"


def route(name: str, **conditions: object) -> Route:
    return Route(name, (Leg("c"),), **conditions)  # type: ignore[arg-type]  # conditions by name


@pytest.mark.parametrize(
    ("conditions", "taken"),
    [
        ({}, True),
        ({"prefixes": ("+2547",)}, True),
        ({"prefixes": ("+25473", "+25471")}, True),
        ({"prefixes": ("+25473",)}, False),
        ({"senders": frozenset({"TUKUPAY"})}, True),
        ({"senders": frozenset({"tukupay"})}, False),
        ({"priorities": frozenset({Priority.HIGH})}, True),
        ({"priorities": frozenset({Priority.NORMAL})}, False),
        ({"prefixes": ("+2547",), "senders": frozenset({"OTHER"})}, False),
    ],
)
def test_a_message_fits_a_route_when_it_fits_every_condition(conditions: dict[str, object], taken: bool) -> None:
    assert route("r", **conditions).takes(SAFARICOM, "TUKUPAY", Priority.HIGH) is taken


def test_the_first_route_that_fits_is_taken() -> None:
    routes = Routes(
        [
            route("otp", prefixes=("+2547",), priorities=frozenset({Priority.HIGH})),
            route("safaricom", prefixes=("+25471",)),
            route(DEFAULT_ROUTE),
        ]
    )
    assert routes.of(SAFARICOM, "TUKUPAY", Priority.HIGH).name == "otp"
    assert routes.of(SAFARICOM, "TUKUPAY", Priority.NORMAL).name == "safaricom"
    assert routes.of(AIRTEL, "TUKUPAY", Priority.NORMAL).name == DEFAULT_ROUTE


@pytest.mark.parametrize(
    ("routes", "fault"),
    [
        ([], "the last is 'default'"),
        ([route("only")], "the last is 'default'"),
        ([route(DEFAULT_ROUTE), route("after")], "the last is 'default'"),
        ([route("twice"), route("twice"), route(DEFAULT_ROUTE)], "names of their own"),
        ([Route("empty", ()), route(DEFAULT_ROUTE)], "without a carrier: empty"),
        ([route(DEFAULT_ROUTE, prefixes=("+254",))], "remove its conditions"),
    ],
)
def test_routes_that_could_leave_a_message_without_a_way_are_refused(routes: list[Route], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Routes(routes)


def test_a_plan_without_routes_sends_everything_to_every_carrier() -> None:
    legs = only_route(["a", "b"]).of(AIRTEL, "X", Priority.NORMAL).legs
    assert [(leg.carrier, leg.weight, leg.rank) for leg in legs] == [("a", 1, 0), ("b", 1, 0)]
