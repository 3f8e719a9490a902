"""Settings of the gateway are bounded, and agree with each other."""

from __future__ import annotations

import pytest

from gateway_http.settings import GatewaySettings
from service_kit.settings import Address, SettingsError, load


def test_the_defaults_are_loopback_and_ready_to_use() -> None:
    settings = load(GatewaySettings, {})
    assert settings.http_address == Address("127.0.0.1", 8080)
    assert settings.pricing_address == Address("127.0.0.1", 50051)
    assert settings.messaging_address == Address("127.0.0.1", 50052)
    assert settings.outcome_wait_s == 5.0
    assert settings.batch_spacing_ms == 5


def test_an_address_that_others_can_reach_is_refused() -> None:
    with pytest.raises(SettingsError, match="GATEWAY_HTTP_ADDRESS"):
        load(GatewaySettings, {"GATEWAY_HTTP_ADDRESS": "0.0.0.0:8080"})


def test_the_deadline_must_leave_room_for_the_outcome() -> None:
    with pytest.raises(SettingsError, match="GATEWAY_SEND_DEADLINE_S"):
        load(GatewaySettings, {"GATEWAY_SEND_DEADLINE_S": "5"})


def test_a_token_at_fault_is_not_shown() -> None:
    token = "secret token with spaces, which are not allowed"
    with pytest.raises(SettingsError, match="GATEWAY_SERVICE_TOKEN") as caught:
        load(GatewaySettings, {"GATEWAY_SERVICE_TOKEN": token})
    assert token not in str(caught.value)


def test_a_token_is_in_no_repr() -> None:
    token = "tukupay_" + "a" * 43
    settings = load(GatewaySettings, {"GATEWAY_SERVICE_TOKEN": token})
    assert settings.service_token == token
    assert token not in repr(settings)


@pytest.mark.parametrize("word", ["off", "yes", "Required"])
def test_access_is_open_or_required_and_nothing_else(word: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_ACCESS"):
        load(GatewaySettings, {"GATEWAY_ACCESS": word})
