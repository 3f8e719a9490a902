"""What is wanted of carriers, what was seen of them, and who holds their binds."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, PrimaryKeyConstraint, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.shared.postgres.columns import INSTANT, NOW, metadata, one_of

# What operators want of carriers; one without a row is running.
carrier_control = Table(
    "carrier_control",
    metadata,
    Column("carrier", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("changed_at", INSTANT, nullable=False, server_default=NOW),
    Column("changed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("carrier"),
    one_of("mode", CarrierMode),
)

# How each process last saw each of its carriers, for operators; old rows are removed by the next report.
carrier_report = Table(
    "carrier_report",
    metadata,
    Column("carrier", Text, nullable=False),
    Column("replica", Text, nullable=False),
    Column("reported_at", INSTANT, nullable=False, server_default=NOW),
    Column("status", JSONB, nullable=False),
    PrimaryKeyConstraint("carrier", "replica"),
    postgresql_with={"fillfactor": 50},
)

bind_lease = Table(
    "bind_lease",
    metadata,
    Column("carrier", Text, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("owner", Text),
    Column("lease_until", INSTANT),
    PrimaryKeyConstraint("carrier", "number"),
    CheckConstraint("(owner IS NULL) = (lease_until IS NULL)", name="owned_until"),
)

# Replicas that want binds, those without any included: the fair share depends on how many there are.
bind_seeker = Table(
    "bind_seeker",
    metadata,
    Column("carrier", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("seen_until", INSTANT, nullable=False),
    PrimaryKeyConstraint("carrier", "owner"),
)
