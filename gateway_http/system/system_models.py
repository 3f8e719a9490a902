"""The answers of the probes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PartState = Literal["serving", "not serving", "unreachable"]


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"]


class Readiness(msgspec.Struct, frozen=True):
    """Whether requests can be served, and by which part not."""

    status: Annotated[Literal["ready", "not ready"], Meta(description="ready when every part is serving.")]
    parts: Annotated[dict[str, PartState], Meta(description="`pricing` and `messaging`, each with its state.")]
