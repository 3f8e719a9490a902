"""When a delivery is tried again, and who waits meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging_service.notices.domain.retries import Retries, retry_after
from messaging_service.wiring.build_notices import retries_of
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.settings import SettingsError, load
from tests.unit.messaging.wiring.test_messaging_settings import GOOD


@pytest.mark.parametrize("jitter", [-1.0, 0.0, 1.0])
def test_pauses_grow_to_hours_and_those_of_an_endpoint_to_two_minutes(jitter: float) -> None:
    retries = Retries()
    pauses = [retries.pause(tries, jitter).total_seconds() for tries in range(1, 30)]
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(5 * (1 + jitter / 10))
    assert pauses[-1] == pytest.approx(14_400 * (1 + jitter / 10))
    assert [retries.endpoint_pause(failures).total_seconds() for failures in (1, 2, 3, 4, 50)] == [5, 30, 120, 120, 120]


def test_an_operator_chooses_how_deliveries_are_tried() -> None:
    chosen = {
        "WEBHOOK_GIVE_UP_AFTER_S": "3600",
        "WEBHOOK_PAUSES_S": "1, 60,60",
        "WEBHOOK_IN_ORDER_TRIES": "7",
        "WEBHOOK_ENDPOINT_PAUSE_S": "9.5",
    }
    assert retries_of(load(MessagingSettings, GOOD | chosen).webhooks) == Retries(
        give_up_after=timedelta(hours=1),
        pauses=(timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=1)),
        in_order_tries=7,
        endpoint_pause_at_most=timedelta(seconds=9.5),
    )
    assert retries_of(load(MessagingSettings, GOOD).webhooks) == Retries()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"WEBHOOK_PAUSES_S": "30,5"}, "rising order"),
        ({"WEBHOOK_PAUSES_S": "5,"}, "not a number of seconds"),
        ({"WEBHOOK_PAUSES_S": "0.5,5"}, "not between 1 and 86400"),
        ({"WEBHOOK_GIVE_UP_AFTER_S": "59"}, "WEBHOOK_GIVE_UP_AFTER_S"),
        ({"WEBHOOK_IN_ORDER_TRIES": "0"}, "WEBHOOK_IN_ORDER_TRIES"),
        ({"WEBHOOK_MAX_PER_ACCOUNT": "0"}, "WEBHOOK_MAX_PER_ACCOUNT"),
        ({"WEBHOOK_GIVE_UP_AFTER_S": "172800", "WEBHOOK_RETENTION_DAYS": "2"}, "a day longer"),
    ],
)
def test_choices_that_cannot_be_are_refused_with_the_remedy(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        load(MessagingSettings, GOOD | wrong)


NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60),
        (" 3600 ", 3_600),
        ("0", 0),
        ("9" * 50, 999_999_999),
        ("Tue, 01 Dec 2026 08:10:00 GMT", 600),
        ("Tue, 01 Dec 2026 08:10:00 -0000", 600),
        ("Tue, 01 Dec 2026 11:10:00 +0300", 600),
        ("Mon, 30 Nov 2026 08:00:00 GMT", 0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        (None, None),
    ],
)
def test_an_endpoint_names_seconds_or_a_date(text: str | None, seconds: int | None) -> None:
    assert retry_after(text, NOW) == (None if seconds is None else timedelta(seconds=seconds))


def test_an_endpoint_is_left_alone_for_an_hour_at_most() -> None:
    retries = Retries()
    assert retries.asked_pause(None) == timedelta()
    assert retries.asked_pause(timedelta(minutes=10)) == timedelta(minutes=10)
    assert retries.asked_pause(timedelta(days=3)) == timedelta(hours=1)
