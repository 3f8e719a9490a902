"""How limits are told in the fields of draft-ietf-httpapi-ratelimit-headers-10."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service_kit.quotas import quota, rate_limit_headers

MINUTE = timedelta(minutes=1)


def test_a_policy_is_named_with_its_quota_and_window_and_with_what_is_left() -> None:
    headers = rate_limit_headers(quota("key-minute", 100, MINUTE), timedelta(seconds=12.1))
    assert headers == {"RateLimit-Policy": '"key-minute";q=100;w=60', "RateLimit": '"key-minute";r=0;t=13'}


def test_without_a_time_nothing_is_said_of_when_there_is_more() -> None:
    assert rate_limit_headers(quota("key-minute", 1, MINUTE), None)["RateLimit"] == '"key-minute";r=0'


@pytest.mark.parametrize(
    "metadata", [{}, {"limit": "100"}, {"policy": "day", "limit": "99.5", "window_s": "60"}, {"policy": "day"}]
)
def test_a_refusal_that_counts_no_messages_has_no_fields(metadata: dict[str, str]) -> None:
    assert rate_limit_headers(metadata, MINUTE) == {}
