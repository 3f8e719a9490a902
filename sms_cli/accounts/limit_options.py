"""The limits of an account as options of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from sms_cli.shared.kes_amounts import kes, micros, parse_kes
from sms_cli.shared.options import parsed
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

NO_LIMIT: Final = "none"


class Pumping(StrEnum):
    """What happens when numbers look pumped."""

    off = "off"
    alert = "alert"
    block = "block"
    none = NO_LIMIT


Daily = Annotated[str | None, typer.Option(help="Most KES in a day of Nairobi, or `none`.")]
Minute = Annotated[str | None, typer.Option(help="Most messages in a minute, or `none`.")]
Recipient = Annotated[str | None, typer.Option(help="Most messages to one phone in an hour, or `none`.")]
Window = Annotated[str | None, typer.Option(help="Most messages to one phone in any 10 minutes, or `none`.")]
Otps = Annotated[
    str | None,
    typer.Option(help="Most one-time codes to one phone in any 10 minutes, or `none` for the limit of the service."),
]
Countries = Annotated[
    str | None,
    typer.Option(help="Countries that it may send to, such as KE,UG, or `none` for those of the service."),
]
PumpingOption = Annotated[
    Pumping | None,
    typer.Option(help="What happens when numbers look pumped; `none`: its one-time codes are watched, it is warned."),
]

_GUARDS: Final = {
    Pumping.off: pb.PUMPING_GUARD_OFF,
    Pumping.alert: pb.PUMPING_GUARD_ALERT,
    Pumping.block: pb.PUMPING_GUARD_BLOCK,
}
_NUMBERS: Final[Mapping[str, tuple[str, Callable[[str], int]]]] = {
    "daily_spend_micros": ("--daily-spend", lambda text: micros(parse_kes(text))),
    "messages_per_minute": ("--per-minute", int),
    "messages_per_recipient_hour": ("--per-recipient-hour", int),
    "messages_per_recipient_window": ("--per-recipient-window", int),
    "otps_per_recipient_window": ("--otps-per-recipient-window", int),
}


def read_limits(given: Mapping[str, str | None]) -> pb.AccountLimits:
    """The limits of options, by the names of their fields. Raises BadParameter for one that cannot be read."""
    limits = pb.AccountLimits()
    for field, text in given.items():
        if text is None or text == NO_LIMIT:
            continue
        if field == "destinations":
            limits.destinations.countries.extend(name.strip() for name in text.split(","))
        elif field == "pumping":
            limits.pumping = _GUARDS[Pumping(text)]
        else:
            option, parse = _NUMBERS[field]
            setattr(limits, field, parsed(parse, option, text))
    return limits


def named(given: Mapping[str, str | None]) -> list[str]:
    """The fields that options change, as a mask names them; `none` empties one."""
    return [f"limits.{field}" for field, text in given.items() if text is not None]


def limits_record(limits: pb.AccountLimits) -> dict[str, Any]:
    """Limits as JSON; amounts in KES."""

    def number(field: str) -> int | None:
        return getattr(limits, field) if limits.HasField(field) else None  # type: ignore[arg-type]  # of the numbers

    guards = {value: guard.value for guard, value in _GUARDS.items()}
    return {
        "dailySpend": kes(limits.daily_spend_micros) if limits.HasField("daily_spend_micros") else None,
        "messagesPerMinute": number("messages_per_minute"),
        "messagesPerRecipientHour": number("messages_per_recipient_hour"),
        "messagesPerRecipientWindow": number("messages_per_recipient_window"),
        "otpsPerRecipientWindow": number("otps_per_recipient_window"),
        "destinations": ",".join(limits.destinations.countries) if limits.HasField("destinations") else None,
        "pumping": guards.get(limits.pumping),
    }
