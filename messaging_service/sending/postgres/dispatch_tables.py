"""The queue: every message whose outcome is open, and who is at work on it."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from messaging_service.carriers.domain.routing import DEFAULT_ROUTE
from messaging_service.shared.postgres.columns import INSTANT, metadata

dispatch = Table(
    "dispatch",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("route", Text, nullable=False, server_default=DEFAULT_ROUTE),
    Column("lane", SmallInteger, nullable=False),
    Column("due_at", INSTANT, nullable=False),
    Column("queued_at", INSTANT, nullable=False),
    Column("state", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("lease_until", INSTANT),
    Column("recipient", Text),
    Column("avoid", ARRAY(Text), nullable=False, server_default="{}"),
    Column("expires_at", INSTANT),
    Column("resend_at", INSTANT),
    Column("resent", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("message_id"),
    CheckConstraint("lane IN (0, 1)", name="lane"),
    CheckConstraint("state IN ('ready', 'submitting', 'unknown')", name="state"),
    CheckConstraint("state <> 'unknown' OR recipient IS NOT NULL", name="recipient_while_unknown"),
    CheckConstraint("(state = 'submitting') = (lease_until IS NOT NULL)", name="lease_while_submitting"),
    CheckConstraint("resend_at IS NULL OR (state = 'unknown' AND NOT resent)", name="resend_once_while_unknown"),
    Index("ix_dispatch_ready", "route", "lane", "due_at", "message_id", postgresql_where=text("state = 'ready'")),
    Index("ix_dispatch_queued", "queued_at", postgresql_where=text("state = 'ready'")),
    Index("ix_dispatch_submitting", "lease_until", postgresql_where=text("state = 'submitting'")),
    Index("ix_dispatch_unknown", "due_at", postgresql_where=text("state = 'unknown'")),
    # What waits for a phone is found when it opts out. A message that is claimed as it is accepted carries no
    # recipient here, so that it pays for no entry.
    Index("ix_dispatch_ready_recipient", "recipient", postgresql_where=text("state = 'ready'")),
    Index("ix_dispatch_unknown_recipient", "recipient", postgresql_where=text("state = 'unknown'")),
    Index("ix_dispatch_expires_at", "expires_at", postgresql_where=text("state = 'ready' AND expires_at IS NOT NULL")),
    Index("ix_dispatch_resend_at", "resend_at", postgresql_where=text("resend_at IS NOT NULL")),
    # The queue is short and turns over all the time: room for in-place updates, and eager vacuum.
    postgresql_with={
        "fillfactor": 50,
        "autovacuum_vacuum_scale_factor": 0.0,
        "autovacuum_vacuum_threshold": 2000,
        "autovacuum_vacuum_cost_delay": 0,
    },
)
