"""Identifiers of recorded prices."""

from __future__ import annotations

import uuid_utils


def new_cost_id() -> str:
    """`cost_` and the 32 hexadecimal digits of a UUIDv7, so that later ones sort after earlier ones."""
    return f"cost_{uuid_utils.uuid7().hex}"
