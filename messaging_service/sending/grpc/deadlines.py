"""Until when a call that waits must have answered, so that its caller learns what was recorded."""

from __future__ import annotations

import asyncio
from typing import cast

from service_kit.grpc.context import Context

MARGIN_S = 0.25
"""For reading the entry once more and for the way back."""
MESSAGE_S = 0.0005
"""More for each message of the answer: a thousand entries take their time."""
MARGIN_SHARE = 0.2
"""The margin is no more than this share of the time left: a short deadline is not all margin."""


def answer_by(context: Context, messages: int = 1) -> float | None:
    """The instant on the loop's clock at which the answer has to leave; None for a caller without a deadline.

    `messages` are in the answer.

    A caller that runs into its deadline learns nothing of a message that is on record, and may send it again under
    another id.
    """
    # The stubs know no call without a deadline.
    left_s = cast("float | None", context.time_remaining())
    if left_s is None:
        return None
    return asyncio.get_running_loop().time() + left_s - min(MARGIN_S + messages * MESSAGE_S, left_s * MARGIN_SHARE)
