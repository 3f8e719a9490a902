"""Whether callers must show who they are, and what goes with that choice."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Access(StrEnum):
    """Who may call a service."""

    OPEN = "open"
    """Everybody who reaches it, and they may do all."""
    REQUIRED = "required"
    """Those with a valid credential, and what it allows."""


def access(text: str) -> Access:
    """Parses `open` or `required`."""
    try:
        return Access(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither {' nor '.join(Access)}") from None


def access_problems(values: Mapping[str, object], prefix: str) -> list[str]:
    """What is wrong with the settings of access together; `prefix` is that of their variables.

    `values` has the fields `access`, `identities_file` and `issuers_file`, where they are set.
    """
    is_required = values.get("access") is Access.REQUIRED
    if is_required and "identities_file" not in values:
        return [f"{prefix}_IDENTITIES_FILE: is required with {prefix}_ACCESS=required; without it nobody may call"]
    if is_required:
        return []
    files = [field for field in ("identities_file", "issuers_file") if field in values]
    return [
        f"{prefix}_ACCESS: is open, so {prefix}_{field.upper()} would mean nothing; set it to required"
        for field in files
    ]
