"""Statements that write a trace beside what they write, for the few batches that have something sampled in them.

The others run the statement that writes none, so that tracing costs them nothing.
"""

from __future__ import annotations

import re
from typing import Final

from service_kit.postgres.pipeline import Statement

_ONLY_TRACED: Final = re.compile(r"<(, [^<>]*)>")


def traced_and_not(text: str) -> tuple[Statement, Statement]:
    """A statement without what stands as `<, …>` in its text, and the one with it."""
    return Statement(_ONLY_TRACED.sub("", text)), Statement(_ONLY_TRACED.sub(r"\1", text))


def bytea(value: bytes) -> str:
    """Bytes as PostgreSQL reads them in JSON."""
    return "\\x" + value.hex()
