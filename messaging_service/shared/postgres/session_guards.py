"""What the messaging database must guard its sessions with."""

from __future__ import annotations

from typing import Final

from service_kit.postgres.guards import Guards
from service_kit.postgres.pipeline import STATEMENT_TIMEOUT_S

GUARDS: Final[Guards] = {
    "timezone": "UTC",
    "statement_timeout": f"{STATEMENT_TIMEOUT_S:g}s",
    # A process that stands still in the middle of a transaction holds up all others that need the rows it locked.
    # Longer than any pause of one that is only busy.
    "idle_in_transaction_session_timeout": "5s",
    # Plans that were made while a table was small, or seemed empty as a queue does, read all of it, and are kept until
    # it is analyzed. Reports, which do read much, begin with WHOLE_TABLES.
    "enable_seqscan": "off",
    # Whoever follows events must not take the processors from senders.
    "max_parallel_workers_per_gather": "0",
}
