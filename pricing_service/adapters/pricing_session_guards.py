"""What the pricing database must guard its sessions with."""

from __future__ import annotations

from typing import Final

from service_kit.postgres.guards import Guards
from service_kit.postgres.pipeline import STATEMENT_TIMEOUT_S

GUARDS: Final[Guards] = {
    "timezone": "UTC",
    "statement_timeout": f"{STATEMENT_TIMEOUT_S:g}s",
    # Longer than an import works out 50,000 rows within one transaction. A process that stands still for longer holds
    # up all other changes.
    "idle_in_transaction_session_timeout": "20s",
}
