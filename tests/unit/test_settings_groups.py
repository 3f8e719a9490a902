"""Settings in groups: loaded together, checked one by one, and listed for the documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from service_kit.settings import SettingsError, declared, group, integer, load, setting, target


@dataclass(frozen=True, slots=True)
class Oven:
    """A group with rules of its own."""

    least: int = setting("OVEN_LEAST", "least degrees", parse=integer(0, 300), default=50)
    most: int = setting("OVEN_MOST", "most degrees", parse=integer(0, 300), default=250, guide="guides/ovens.md")

    @classmethod
    def cross_check(cls, values: Mapping[str, object]) -> list[str]:
        return ["OVEN_LEAST: goes with OVEN_MOST"] if "least" in values and "most" not in values else []

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise ValueError("OVEN_LEAST must not be above OVEN_MOST")


@dataclass(frozen=True, slots=True)
class Kitchen:
    """A group in a group."""

    oven: Oven = group(Oven)
    cook: str = setting("COOK", "who cooks", default_text="required on weekdays", default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """All of it."""

    address: str = setting("ADDRESS", "where it is", secret=True)
    kitchen: Kitchen = group(Kitchen)


def test_groups_are_loaded_with_their_defaults() -> None:
    assert load(House, {"ADDRESS": "Moi Avenue", "OVEN_MOST": "200"}) == House(
        address="Moi Avenue", kitchen=Kitchen(oven=Oven(50, 200))
    )


def test_every_mistake_in_every_group_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(House, {"OVEN_LEAST": "60", "OVEN_MOST": ""})
    assert str(caught.value) == (
        "settings are wrong:\n  ADDRESS (where it is): is required\n  OVEN_LEAST: goes with OVEN_MOST"
    )


def test_what_a_group_refuses_as_a_whole_is_a_mistake_in_settings() -> None:
    with pytest.raises(SettingsError, match="OVEN_LEAST must not be above OVEN_MOST"):
        load(House, {"ADDRESS": "x", "OVEN_LEAST": "60", "OVEN_MOST": "50"})


def test_a_secret_in_no_group_and_in_any_is_not_printed() -> None:
    assert "Avenue" not in repr(load(House, {"ADDRESS": "Moi Avenue"}))


def test_all_settings_are_listed_in_their_order() -> None:
    listed = [(each.env, each.default, each.default_text, each.guide) for each in declared(House)]
    assert listed == [
        ("ADDRESS", dataclasses.MISSING, None, None),
        ("OVEN_LEAST", 50, None, None),
        ("OVEN_MOST", 250, None, "guides/ovens.md"),
        ("COOK", "", "required on weekdays", None),
    ]


@pytest.mark.parametrize(
    "text", ["messaging:7000", "dns:///messaging.sms:7000", "dns://127.0.0.1:53/[2001:db8::1]:7000", "[::1]:7000"]
)
def test_a_client_may_be_told_whom_to_ask_for_a_name(text: str) -> None:
    assert str(target(text)) == text


@pytest.mark.parametrize("text", ["xds:///messaging:7000", "dns://messaging:7000", "dns:///messaging", "dns://53/a:1"])
def test_other_forms_of_a_target_are_mistakes(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        target(text)
