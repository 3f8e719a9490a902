"""Bad credentials are limited by the address that shows them, in bounded memory."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from service_kit.access import bad_credentials
from service_kit.access.bad_credentials import BadCredentials

HERE = ip_address("192.0.2.7")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_as_many_as_allowed_pass_and_then_one_at_a_time_as_time_goes_by(clock: Clock) -> None:
    bad = BadCredentials(60, clock)
    assert [bad.shown(HERE) for _ in range(60)] == [None] * 60
    assert bad.shown(HERE) == 1.0
    clock.now = 0.75
    assert bad.shown(HERE) == 0.25
    clock.now = 1.0
    assert bad.shown(HERE) is None
    assert bad.shown(HERE) is not None


def test_those_that_are_turned_away_make_the_wait_no_longer(clock: Clock) -> None:
    bad = BadCredentials(1, clock)
    bad.shown(HERE)
    assert [bad.shown(HERE) for _ in range(100)] == [60.0] * 100


def test_nobody_is_limited_by_what_others_do(clock: Clock) -> None:
    bad = BadCredentials(1, clock)
    assert bad.shown(HERE) is None
    assert bad.shown(HERE) is not None
    assert bad.shown(ip_address("192.0.2.8")) is None


def test_the_addresses_of_one_subscriber_count_together_in_ipv6(clock: Clock) -> None:
    bad = BadCredentials(1, clock)
    assert bad.shown(ip_address("2001:db8:1:2::1")) is None
    assert bad.shown(ip_address("2001:db8:1:2:ffff::9")) is not None
    assert bad.shown(ip_address("2001:db8:1:3::1")) is None


def test_addresses_that_are_not_known_share_what_is_allowed(clock: Clock) -> None:
    bad = BadCredentials(1, clock)
    assert bad.shown(None) is None
    assert bad.shown(None) is not None


def test_the_address_heard_of_longest_ago_makes_room(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bad_credentials, "MAX_ADDRESSES", 2)
    bad = BadCredentials(1, clock)
    first, second, third = (ip_address(f"192.0.2.{number}") for number in (1, 2, 3))
    bad.shown(first)
    bad.shown(second)
    assert bad.shown(first) is not None
    bad.shown(third)
    assert bad.shown(first) is not None
    assert bad.shown(second) is None
