"""Watches the whole of the wire: every call answered, every level and failure mapped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from pricing_service.domain.instants import instant_of
from pricing_service.domain.price_guards import Guard
from pricing_service.domain.tier import Level
from pricing_service.transport.cost_messages import GUARDS, LEVELS
from pricing_service.transport.servicer import HEARTBEAT_BOUNDS, PricingServicer
from pricing_service.transport.wire_instants import read_duration, read_timestamp
from service_kit.errors import Kind, Violation
from service_kit.grpc.grpc_errors import CODES
from service_kit.grpc.timestamps import to_timestamp
from tukupay.sms.pricing.v1 import pricing_pb2

METHODS = [method.name for method in pricing_pb2.DESCRIPTOR.services_by_name["PricingService"].methods]


@pytest.mark.parametrize("name", METHODS)
def test_every_declared_call_is_implemented(name: str) -> None:
    assert name in vars(PricingServicer)


def test_every_level_has_its_place_on_the_wire() -> None:
    declared = set(pricing_pb2.CostLevel.values()) - {pricing_pb2.COST_LEVEL_UNSPECIFIED}
    assert set(LEVELS) == declared
    assert set(LEVELS.values()) == set(Level)


def test_every_guard_has_its_place_on_the_wire() -> None:
    assert set(GUARDS) == set(Guard)
    assert {guard: pricing_pb2.PriceGuard.Name(number) for guard, number in GUARDS.items()} == {
        guard: f"PRICE_GUARD_{guard.name}" for guard in Guard
    }


def test_every_kind_of_failure_has_a_status() -> None:
    assert set(CODES) == set(Kind)


@given(st.integers(min_value=-62_135_596_800_000_000, max_value=253_402_300_799_999_999))
def test_an_instant_survives_the_wire(micros: int) -> None:
    instant = instant_of(micros)
    assert read_timestamp("at", to_timestamp(instant), []) == instant


@pytest.mark.parametrize(
    "message",
    [
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=-62_135_596_801),
        Timestamp(nanos=-1),
        Timestamp(nanos=1_000_000_000),
    ],
)
def test_an_impossible_timestamp_is_refused_by_field(message: Timestamp) -> None:
    violations: list[Violation] = []
    assert read_timestamp("at", message, violations) is None
    assert [(violation.field, violation.reason) for violation in violations] == [("at", "MALFORMED")]


def test_a_timestamp_is_cut_to_microseconds() -> None:
    assert read_timestamp("at", Timestamp(seconds=1, nanos=1_999), []) == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "message",
    [
        Duration(),
        Duration(nanos=99_999_999),
        Duration(seconds=60, nanos=1),
        Duration(seconds=-1),
        Duration(seconds=10**12),
        Duration(seconds=1, nanos=-(10**9)),
    ],
)
def test_a_heartbeat_out_of_range_is_refused(message: Duration) -> None:
    violations: list[Violation] = []
    read_duration("heartbeat_interval", message, HEARTBEAT_BOUNDS, violations)
    assert [violation.field for violation in violations] == ["heartbeat_interval"]


def test_a_heartbeat_in_range_is_kept() -> None:
    message = Duration(nanos=100_000_000)
    assert read_duration("heartbeat_interval", message, HEARTBEAT_BOUNDS, []) == timedelta(milliseconds=100)
