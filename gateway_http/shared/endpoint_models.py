"""What webhooks and channels have in common, as REST takes and shows it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Replayed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is posted again."""

    replayed: Annotated[int, Meta(ge=0, description="How many deliveries.")]
