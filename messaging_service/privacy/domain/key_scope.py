"""What a data key is for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final, NamedTuple


class KeyScope(NamedTuple):
    """The values that share a data key: those of an account and a month, or those that an account keeps."""

    account_id: str
    """Empty for what belongs to no account, such as receipts that are not matched yet."""
    month: date | None
    """First day of a month in UTC, with whose key its values are destroyed; None for values that stay."""

    @property
    def purpose(self) -> bytes:
        """What is authenticated with the wrapped key, so that it serves no other scope."""
        month = "" if self.month is None else self.month.isoformat()
        return b"\0".join((b"tukupay-sms data key", self.account_id.encode(), month.encode()))


INDEX: Final = KeyScope("", None)
"""The key behind the blind index of phones, and the fingerprints of requests."""

ENDPOINTS: Final = KeyScope("/endpoints", None)
"""The key of the secrets and targets of endpoints, which stay for as long as these do."""


def month_of(instant: datetime) -> date:
    """The month of an instant, in UTC, by its first day."""
    return instant.astimezone(UTC).date().replace(day=1)


def of_month(account_id: str, instant: datetime) -> KeyScope:
    """The scope of what an account has at an instant."""
    return KeyScope(account_id, month_of(instant))
