"""Until when the carrier shall try (SMPP 3.4 section 7.1.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from messaging_service.carriers.domain.submission import Validity
from messaging_service.carriers.smpp.smpp_settings import LONGEST_VALIDITY_S, SmppSettings, ValidityForm

SHORTEST_S: Final = 1
"""The forms have whole seconds (absolute ones tenths, which no carrier is known to heed), and zero is no period."""


def validity_period(wanted: Validity | None, now: datetime, settings: SmppSettings) -> str:
    """The field for a message; empty to leave it to the carrier.

    An expiry that is over gives the shortest period: whether to submit at all is not decided here.
    """
    if settings.validity_form is ValidityForm.OFF:
        return ""
    if wanted is not None:
        is_absolute = settings.validity_form is ValidityForm.ABSOLUTE
        left_s = (wanted.until - now).total_seconds() if is_absolute else wanted.left_s
    elif settings.default_validity_s:
        left_s = settings.default_validity_s
    else:
        return ""
    whole_s = int(min(max(left_s, SHORTEST_S), LONGEST_VALIDITY_S))
    if settings.validity_form is ValidityForm.ABSOLUTE:
        return (now.astimezone(UTC) + timedelta(seconds=whole_s)).strftime("%y%m%d%H%M%S000+")
    minutes, seconds = divmod(whole_s, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{days:02d}{hours:02d}{minutes:02d}{seconds:02d}000R"
