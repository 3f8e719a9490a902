"""The limits of an account as options, and as they are shown."""

from __future__ import annotations

import pytest
import typer

from sms_cli.accounts.limit_options import limits_record, named, read_limits
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

GIVEN: dict[str, str | None] = {
    "daily_spend_micros": "1000.5",
    "messages_per_minute": None,
    "messages_per_recipient_hour": "none",
    "messages_per_recipient_window": "10",
    "otps_per_recipient_window": "3",
    "destinations": "KE, UG",
    "pumping": "block",
}


def test_options_become_limits_and_none_empties_what_it_names() -> None:
    assert read_limits(GIVEN) == pb.AccountLimits(
        daily_spend_micros=1_000_500_000,
        messages_per_recipient_window=10,
        otps_per_recipient_window=3,
        destinations=pb.DestinationCountries(countries=["KE", "UG"]),
        pumping=pb.PUMPING_GUARD_BLOCK,
    )
    assert named(GIVEN) == [
        "limits.daily_spend_micros",
        "limits.messages_per_recipient_hour",
        "limits.messages_per_recipient_window",
        "limits.otps_per_recipient_window",
        "limits.destinations",
        "limits.pumping",
    ]
    assert read_limits(dict.fromkeys(GIVEN, "none")) == pb.AccountLimits()


def test_limits_are_shown_in_kes_and_words() -> None:
    assert limits_record(read_limits(GIVEN)) == {
        "dailySpend": "1000.5",
        "messagesPerMinute": None,
        "messagesPerRecipientHour": None,
        "messagesPerRecipientWindow": 10,
        "otpsPerRecipientWindow": 3,
        "destinations": "KE,UG",
        "pumping": "block",
    }
    assert set(limits_record(pb.AccountLimits()).values()) == {None}


def test_an_option_that_is_no_number_is_named() -> None:
    with pytest.raises(typer.BadParameter) as caught:
        read_limits({"otps_per_recipient_window": "many"})
    assert caught.value.param_hint == "--otps-per-recipient-window"
