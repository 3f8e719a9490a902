"""Operators' words on carriers, and replicas' reports, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.json import Decoder
from typing_extensions import override

from messaging_service.carriers.carrier_fleet import MemberStatus
from messaging_service.carriers.control_carriers import CarrierRegistry, CarrierReport
from messaging_service.carriers.domain.carrier_control import CarrierControl, CarrierMode
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.record_columns import RecordColumns
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord, facts_of
from service_kit.postgres import audit_log
from service_kit.postgres.database import Pool, single_statement, transaction

FRESH_S = 15.0
"""Reports older than this are not shown."""
FORGOTTEN_S = 3_600.0
"""Reports older than this are removed."""

_CONTROL = RecordColumns(CarrierControl)
_REPORTED = RecordColumns(CarrierReport, sql={"status": "status::text"}, read={"status": Decoder(MemberStatus).decode})

_SET = f"""
    INSERT INTO carrier_control (carrier, mode, changed_by, reason) VALUES (%s, %s, %s, %s)
    ON CONFLICT (carrier) DO UPDATE SET
        mode = excluded.mode, changed_at = now(), changed_by = excluded.changed_by, reason = excluded.reason
    RETURNING {_CONTROL.sql}
"""
_CONTROLS = f"SELECT {_CONTROL.sql} FROM carrier_control ORDER BY carrier"
_HELD = "SELECT mode FROM carrier_control WHERE carrier = %s FOR UPDATE"
_REPORT = """
    WITH gone AS (
        DELETE FROM carrier_report WHERE (carrier, replica) IN (
            SELECT carrier, replica FROM carrier_report
            WHERE reported_at < now() - make_interval(secs => %(forgotten_s)s) AND replica <> %(replica)s
            FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO carrier_report (carrier, replica, status)
    SELECT carrier, %(replica)s, status::jsonb
    FROM json_to_recordset(%(rows)s::json) AS reported (carrier text, status text)
    ON CONFLICT (carrier, replica) DO UPDATE SET reported_at = now(), status = excluded.status
"""
_REPORTS = f"""
    SELECT {_REPORTED.sql} FROM carrier_report
    WHERE reported_at > now() - make_interval(secs => %s) ORDER BY carrier, replica
"""


class PostgresCarrierRegistry(CarrierRegistry):
    """Implements CarrierRegistry."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def controls(self) -> Sequence[CarrierControl]:
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(_CONTROLS.encode())
            return [_CONTROL.read(row) for row in await cursor.fetchall()]

    @override
    async def set_mode(
        self, carrier: str, mode: CarrierMode, changed_by: str, reason: str, *, actor: Actor
    ) -> CarrierControl:
        async with migrated(transaction(self._pool)) as connection:
            known = await (await connection.execute(_HELD, (carrier,))).fetchone()
            row = await (await connection.execute(_SET.encode(), (carrier, mode.value, changed_by, reason))).fetchone()
            assert row is not None, "the statement returns its row"  # noqa: S101 - an invariant, not a check of input
            control = _CONTROL.read(row)
            before = {"mode": CarrierMode.RUNNING.value if known is None else known[0]}
            after = facts_of(control, "mode", "changed_by", "reason")
            await audit_log.record(
                connection, actor, AuditRecord("carrier.mode_set", carrier, before=before, after=after)
            )
        return control

    @override
    async def report(self, replica: str, statuses: Sequence[MemberStatus]) -> None:
        rows = [{"carrier": status.carrier.name, "status": msgspec.json.encode(status).decode()} for status in statuses]
        parameters = {
            "rows": msgspec.json.encode(rows).decode(),
            "replica": replica,
            "forgotten_s": FORGOTTEN_S,
        }
        async with migrated(single_statement(self._pool)) as connection:
            await connection.execute(_REPORT, parameters)

    @override
    async def reports(self) -> Sequence[CarrierReport]:
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(_REPORTS.encode(), (FRESH_S,))
            return [_REPORTED.read(row) for row in await cursor.fetchall()]
