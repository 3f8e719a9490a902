"""How far duties have come that delete what is old."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text, Uuid

from messaging_service.shared.postgres.columns import metadata

retention_progress = Table(
    "retention_progress",
    metadata,
    Column("name", Text, nullable=False),
    # Nothing is left to do for messages up to this one.
    Column("position", Uuid, nullable=False),
    PrimaryKeyConstraint("name"),
    postgresql_with={"fillfactor": 50},
)
