"""Endpoints, what is to be sent to them, and how far the events were read."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from messaging_service.notices.domain.endpoints import DeliveryState, EndpointKind, EventType
from messaging_service.shared.postgres.columns import INSTANT, NOW, metadata, one_of

# A deleted endpoint stays, without its secrets, for as long as deliveries name it.
webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", Uuid, nullable=False),
    # No foreign key: events may be wanted before the account sends for the first time.
    Column("account_id", Text, nullable=False),
    # As it may be shown.
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    # What signs; for a channel its target in full.
    Column("secret", Text),
    Column("previous_secret", Text),
    Column("previous_secret_until", INSTANT),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("deleted_at", INSTANT),
    Column("disabled_reason", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", INSTANT),
    Column("paused_until", INSTANT),
    Column("owner", Text),
    Column("lease_until", INSTANT),
    Column("kind", Text, nullable=False, server_default=EndpointKind.WEBHOOK.value),
    PrimaryKeyConstraint("id"),
    one_of("kind", EndpointKind),
    CheckConstraint("(deleted_at IS NULL) = (secret IS NOT NULL)", name="secret_gone"),
    CheckConstraint("(previous_secret IS NULL) = (previous_secret_until IS NULL)", name="previous_secret_ends"),
    CheckConstraint("(owner IS NULL) = (lease_until IS NULL)", name="owned_until"),
    Index("ix_webhook_endpoint_account_id", "account_id", "id", postgresql_where=text("deleted_at IS NULL")),
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("endpoint_id", Uuid, ForeignKey("webhook_endpoint.id"), nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=DeliveryState.PENDING.value),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("give_up_at", INSTANT, nullable=False),
    Column("next_try_at", INSTANT, server_default=NOW),
    Column("last_try_at", INSTANT),
    Column("last_status", SmallInteger),
    Column("last_error", Text),
    Column("replays", SmallInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("id"),
    one_of("event_type", EventType),
    one_of("state", DeliveryState),
    CheckConstraint("(state = 'pending') = (next_try_at IS NOT NULL)", name="next_try_while_pending"),
    # Makes it harmless to record an event a second time.
    UniqueConstraint("endpoint_id", "event_id"),
    Index("ix_webhook_delivery_pending", "endpoint_id", "position", postgresql_where=text("state = 'pending'")),
    Index("ix_webhook_delivery_give_up_at", "give_up_at", postgresql_where=text("state = 'pending'")),
    Index("ix_webhook_delivery_endpoint_id_created_at_id", "endpoint_id", text("created_at DESC"), text("id DESC")),
    Index("ix_webhook_delivery_created_at", "created_at"),
    postgresql_with={"fillfactor": 80},
)

# How far each reader of the events has come; one process at a time works for a reader.
event_reader = Table(
    "event_reader",
    metadata,
    Column("name", Text, nullable=False),
    Column("position", JSONB, nullable=False),
    Column("moved_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("name"),
    postgresql_with={"fillfactor": 50},
)
