"""How a refusal says which limit was reached, so that every transport can tell its callers.

The metadata of the error names the policy, how much it allows, and for how long; HTTP has the header fields of
draft-ietf-httpapi-ratelimit-headers-10 for that, which is a draft and may change before it is a standard.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

POLICY: Final = "policy"
"""Name of the policy in the metadata: lower-case words with `-` between."""
LIMIT: Final = "limit"
"""How many requests the policy allows in its window."""
WINDOW: Final = "window_s"
"""The window in whole seconds."""


def quota(policy: str, limit: int, window: timedelta) -> dict[str, str]:
    """The metadata of a refusal by a policy that counts requests."""
    return {POLICY: policy, LIMIT: str(limit), WINDOW: str(window // timedelta(seconds=1))}


def rate_limit_headers(metadata: Mapping[str, str], retry_after: timedelta | None) -> dict[str, str]:
    """The fields `RateLimit-Policy` and `RateLimit` of a refusal; none when no policy refused it."""
    policy, limit, window = metadata.get(POLICY), metadata.get(LIMIT, ""), metadata.get(WINDOW, "")
    if policy is None or not (limit.isdecimal() and window.isdecimal()):
        return {}
    left = "" if retry_after is None else f";t={math.ceil(retry_after.total_seconds())}"
    return {"RateLimit-Policy": f'"{policy}";q={limit};w={window}', "RateLimit": f'"{policy}";r=0{left}'}
