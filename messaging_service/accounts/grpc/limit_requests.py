"""The limits of an account in a request, checked for what the domain has no words for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from messaging_service.accounts.domain.account_limits import MOST_IN_A_WINDOW, AccountLimits, LimitName, PumpingGuard
from messaging_service.accounts.grpc.account_messages import PUMPING_GUARDS
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.money import from_micros
from messaging_service.shared.numbering.destinations import parse_destinations
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

MAX_COUNTRIES: Final = 300
LIMITS: Final[Mapping[str, LimitName]] = {
    "limits.daily_spend_micros": "daily_spend",
    "limits.messages_per_minute": "messages_per_minute",
    "limits.messages_per_recipient_hour": "messages_per_recipient_hour",
    "limits.messages_per_recipient_window": "messages_per_recipient_window",
    "limits.otps_per_recipient_window": "otps_per_recipient_window",
    "limits.destinations": "destinations",
    "limits.pumping": "pumping",
}
"""What a mask may name of the limits, and what that is in the domain."""
_COUNTED: Final = (
    "daily_spend_micros",
    "messages_per_minute",
    "messages_per_recipient_hour",
    "messages_per_recipient_window",
    "otps_per_recipient_window",
)
_OF_A_WINDOW: Final = ("messages_per_recipient_window", "otps_per_recipient_window")
_GUARD_OF: Final[Mapping[int, PumpingGuard | None]] = {
    pb.PUMPING_GUARD_UNSPECIFIED: None,
    **{value: guard for guard, value in PUMPING_GUARDS.items()},
}

AddFault = Callable[[str, str, str], None]
"""Notes a fault: the field, its reason, what is wrong."""


def read_limits(limits: pb.AccountLimits, add: AddFault) -> AccountLimits:
    """The limits that a request gives."""
    given = {name: getattr(limits, name) if limits.HasField(name) else None for name in _COUNTED}
    for name, value in given.items():
        if value is not None and value < 1:
            problem = f"is {value}; give at least 1, or leave it out for no limit"
            add(f"limits.{name}", reasons.OUT_OF_RANGE, problem)
        elif value is not None and name in _OF_A_WINDOW and value > MOST_IN_A_WINDOW:
            add(f"limits.{name}", reasons.OUT_OF_RANGE, f"is {value}; give 1 to {MOST_IN_A_WINDOW}")
    if limits.pumping not in _GUARD_OF:
        problem = f"has the unknown value {limits.pumping}; use one of PumpingGuard"
        add("limits.pumping", reasons.INVALID_VALUE, problem)
    spend = given["daily_spend_micros"]
    return AccountLimits(
        daily_spend=None if spend is None else from_micros(spend),
        messages_per_minute=given["messages_per_minute"],
        messages_per_recipient_hour=given["messages_per_recipient_hour"],
        messages_per_recipient_window=given["messages_per_recipient_window"],
        otps_per_recipient_window=given["otps_per_recipient_window"],
        destinations=_countries(limits.destinations, add) if limits.HasField("destinations") else None,
        pumping=_GUARD_OF.get(limits.pumping),
    )


def _countries(destinations: pb.DestinationCountries, add: AddFault) -> tuple[str, ...]:
    field = "limits.destinations.countries"
    names = destinations.countries
    if not 1 <= len(names) <= MAX_COUNTRIES:
        problem = f"has {len(names)} countries; give 1 to {MAX_COUNTRIES}, or leave it out for those of the service"
        add(field, reasons.OUT_OF_RANGE, problem)
        return ()
    try:
        return tuple(sorted(parse_destinations(",".join(names)).allowed))
    except ValueError as error:
        add(field, reasons.INVALID_VALUE, str(error))
        return ()
