"""Endpoints that want events, and the log of their deliveries, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from typing_extensions import override

from messaging_service.notices.domain.cloud_event import CloudEvent
from messaging_service.notices.domain.endpoints import Delivery, Endpoint
from messaging_service.notices.endpoint_families import EndpointFamily
from messaging_service.notices.endpoint_store import (
    DeliveryFilter,
    EndpointChange,
    EndpointStore,
    NewEndpoint,
    ReplayPeriod,
)
from messaging_service.notices.postgres.endpoint_rows import DELIVERY, ENDPOINT, NewDelivery, record
from messaging_service.notices.postgres.fan_out import begin_fan_out
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents
from messaging_service.privacy.sealing.places import secret_place
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.tenancy import of_callers, tenants
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord, Facts, facts_of
from service_kit.postgres import audit_log
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

# Two that are created at once must count each other.
_LOCK_ACCOUNT: Final = "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoint ' || %(account_id)s, 0))"
_COUNT: Final = """
    SELECT count(*) FROM webhook_endpoint
    WHERE account_id = %(account_id)s AND kind = ANY(%(kinds)s) AND deleted_at IS NULL
"""
_CREATE: Final = f"""
    INSERT INTO webhook_endpoint (id, account_id, kind, url, events, description, secret)
    VALUES (%(id)s, %(account_id)s, %(kind)s, %(url)s, %(events)s, %(description)s, %(secret)s)
    RETURNING {ENDPOINT.sql}
"""
# Endpoints of the other family, and of foreign accounts, can be neither seen nor changed.
_THIS: Final = f"id = %(id)s AND kind = ANY(%(kinds)s) AND deleted_at IS NULL AND {of_callers('account_id')}"
_GET: Final = f"SELECT {ENDPOINT.sql} FROM webhook_endpoint WHERE {_THIS}"
# The endpoint before its deliveries: the order in which PostgresDeliveryQueue.finish locks them too.
_HOLD: Final = f"{_GET} FOR NO KEY UPDATE"
_OF_ACCOUNT: Final = f"""
    SELECT {ENDPOINT.sql} FROM webhook_endpoint
    WHERE account_id = %(account_id)s AND kind = ANY(%(kinds)s) AND deleted_at IS NULL
    ORDER BY created_at, id
"""
# Earlier failures say nothing about the endpoint as it is now.
_CHANGE: Final = f"""
    UPDATE webhook_endpoint SET
        url = coalesce(%(url)s, url), secret = coalesce(%(secret)s, secret), events = coalesce(%(events)s, events),
        description = coalesce(%(description)s, description), enabled = coalesce(%(enabled)s, enabled),
        disabled_reason = CASE WHEN %(enabled)s THEN NULL ELSE disabled_reason END,
        failures = 0, failing_since = NULL, paused_until = NULL
    WHERE {_THIS} RETURNING {ENDPOINT.sql}
"""
_ROTATE: Final = f"""
    UPDATE webhook_endpoint SET previous_secret = secret, previous_secret_until = now() + %(overlap)s,
        secret = %(secret)s
    WHERE {_THIS} RETURNING {ENDPOINT.sql}
"""
_DELETE: Final = f"""
    UPDATE webhook_endpoint SET deleted_at = now(), secret = NULL, previous_secret = NULL,
        previous_secret_until = NULL, enabled = false
    WHERE {_THIS} RETURNING id
"""
_GIVE_UP_ALL: Final = """
    UPDATE webhook_delivery SET state = 'failed', next_try_at = NULL, last_error = %(deleted)s
    WHERE endpoint_id = %(id)s AND state = 'pending'
"""
_AGAIN: Final = """
    UPDATE webhook_delivery SET state = 'pending', tries = 0, next_try_at = now(), give_up_at = now() + %(give_up)s,
        replays = least(replays + 1, 32767)
"""
_REPLAY: Final = f"{_AGAIN} WHERE id = %(delivery_id)s AND endpoint_id = %(id)s RETURNING {DELIVERY.sql}"
_REPLAY_PERIOD: Final = f"""
    {_AGAIN} WHERE endpoint_id = %(id)s AND created_at >= %(start)s AND created_at < %(end)s AND state = ANY(%(states)s)
        AND state <> 'pending'
"""
_DELIVERY: Final = f"SELECT {DELIVERY.sql} FROM webhook_delivery WHERE id = %(delivery_id)s"
_TRY_NOW: Final = "UPDATE webhook_endpoint SET paused_until = NULL, failures = 0 WHERE id = %(id)s"


class PostgresEndpointStore(EndpointStore):
    """Endpoints of one family, in the table that both families share."""

    def __init__(
        self,
        pool: Pool,
        new_id: Callable[[], UUID],
        family: EndpointFamily,
        *,
        most: int,
        give_up_after: timedelta,
        contents: Contents = PLAIN,
    ) -> None:
        """`most`: endpoints that an account may have. `give_up_after`: how long a delivery is tried.

        `contents` seals secrets and bodies.
        """
        self._contents = contents
        self._pool = pool
        self._new_id = new_id
        self._family = family
        self._most = most
        self._give_up_after = give_up_after
        self._kinds = [kind.value for kind in family.kinds]

    @override
    async def create(self, new: NewEndpoint, *, actor: Actor) -> Endpoint:
        parameters = {
            "id": new.id,
            "account_id": new.account_id,
            "kind": new.kind.value,
            "url": new.url,
            "events": [event.value for event in new.events],
            "description": new.description,
            "secret": await self._kept(new.id, new.secret),
        }
        async with migrated(transaction(self._pool)) as connection:
            await connection.execute(_LOCK_ACCOUNT, parameters)
            if (await self._one(connection, _COUNT, parameters))[0] >= self._most:
                raise self._family.too_many(self._most)
            await begin_fan_out(connection)
            created = ENDPOINT.read(await self._one(connection, _CREATE, parameters))
            await self._audit(connection, actor, "created", None, created)
            return created

    @override
    async def get(self, endpoint_id: UUID, accounts: Accounts) -> Endpoint:
        async with migrated(single_statement(self._pool)) as connection:
            return ENDPOINT.read(await self._one(connection, _GET, {"id": endpoint_id, **tenants(accounts)}))

    @override
    async def of_account(self, account_id: str) -> Sequence[Endpoint]:
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(_OF_ACCOUNT, {"account_id": account_id, "kinds": self._kinds})
            return [ENDPOINT.read(row) for row in await cursor.fetchall()]

    @override
    async def change(self, endpoint_id: UUID, accounts: Accounts, change: EndpointChange, *, actor: Actor) -> Endpoint:
        parameters = {
            "id": endpoint_id,
            **tenants(accounts),
            "url": change.url,
            "events": None if change.events is None else [event.value for event in change.events],
            "description": change.description,
            "enabled": change.enabled,
            "secret": None if change.secret is None else await self._kept(endpoint_id, change.secret),
        }
        async with migrated(transaction(self._pool)) as connection:
            before = ENDPOINT.read(await self._one(connection, _HOLD, parameters))
            changed = ENDPOINT.read(await self._one(connection, _CHANGE, parameters))
            await self._audit(connection, actor, "changed", before, changed)
            return changed

    @override
    async def rotate(
        self, endpoint_id: UUID, accounts: Accounts, secret: str, overlap: timedelta, *, actor: Actor
    ) -> Endpoint:
        kept = await self._kept(endpoint_id, secret)
        parameters = {"id": endpoint_id, **tenants(accounts), "secret": kept, "overlap": overlap}
        async with migrated(transaction(self._pool)) as connection:
            before = ENDPOINT.read(await self._one(connection, _HOLD, parameters))
            rotated = ENDPOINT.read(await self._one(connection, _ROTATE, parameters))
            await self._audit(connection, actor, "secret_rotated", before, rotated)
        return rotated

    @override
    async def delete(self, endpoint_id: UUID, accounts: Accounts, *, actor: Actor) -> None:
        parameters = {"id": endpoint_id, **tenants(accounts)}
        async with migrated(transaction(self._pool)) as connection:
            before = ENDPOINT.read(await self._one(connection, _HOLD, parameters))
            await self._one(connection, _DELETE, parameters)
            await self._audit(connection, actor, "deleted", before, None)
            await connection.execute(_GIVE_UP_ALL, {"id": endpoint_id, "deleted": self._family.reasons.deleted})

    @override
    async def record_event(self, endpoint_id: UUID, accounts: Accounts, event: CloudEvent) -> Delivery:
        delivery_id = self._new_id()
        async with migrated(transaction(self._pool)) as connection:
            await self._one(connection, _HOLD, {"id": endpoint_id, **tenants(accounts)})
            await record(
                connection, [NewDelivery(delivery_id, endpoint_id, event)], self._give_up_after, self._contents
            )
            await connection.execute(_TRY_NOW, {"id": endpoint_id})
            return DELIVERY.read(await self._one(connection, _DELIVERY, {"delivery_id": delivery_id}))

    @override
    async def deliveries(
        self,
        endpoint_id: UUID,
        accounts: Accounts,
        wanted: DeliveryFilter,
        limit: int,
        after: tuple[datetime, UUID] | None,
    ) -> Sequence[Delivery]:
        # Only the conditions asked for are in the statement, so that each combination has its own plan.
        conditions = ["endpoint_id = %(id)s"]
        parameters: dict[str, Any] = {"id": endpoint_id, "limit": limit}
        if wanted.state is not None:
            conditions.append("state = %(state)s")
            parameters["state"] = wanted.state.value
        if wanted.event_type is not None:
            conditions.append("event_type = %(event_type)s")
            parameters["event_type"] = wanted.event_type.value
        if after is not None:
            conditions.append("(created_at, id) < (%(after_time)s, %(after_id)s)")
            parameters["after_time"], parameters["after_id"] = after
        statement = (
            f"SELECT {DELIVERY.sql} FROM webhook_delivery WHERE {' AND '.join(conditions)} "
            "ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
        )
        async with migrated(transaction(self._pool)) as connection:
            await self._one(connection, _GET, {"id": endpoint_id, **tenants(accounts)})
            cursor = await connection.execute(statement.encode(), parameters)
            return [DELIVERY.read(row) for row in await cursor.fetchall()]

    @override
    async def replay(self, endpoint_id: UUID, accounts: Accounts, delivery_id: UUID) -> Delivery:
        parameters = {
            "id": endpoint_id,
            **tenants(accounts),
            "delivery_id": delivery_id,
            "give_up": self._give_up_after,
        }
        async with migrated(transaction(self._pool)) as connection:
            await self._one(connection, _HOLD, parameters)
            row = await (await connection.execute(_REPLAY, parameters)).fetchone()
            if row is None:
                raise self._family.delivery_not_found()
            await connection.execute(_TRY_NOW, parameters)
        return DELIVERY.read(row)

    @override
    async def replay_period(self, endpoint_id: UUID, accounts: Accounts, period: ReplayPeriod) -> int:
        parameters = {
            "id": endpoint_id,
            **tenants(accounts),
            "start": period.start,
            "end": period.end,
            "states": [state.value for state in period.states],
            "give_up": self._give_up_after,
        }
        async with migrated(transaction(self._pool)) as connection:
            await self._one(connection, _HOLD, parameters)
            replayed = (await connection.execute(_REPLAY_PERIOD, parameters)).rowcount
            await connection.execute(_TRY_NOW, parameters)
        return replayed

    async def _kept(self, endpoint_id: UUID, secret: str) -> str:
        """A secret as it is stored."""
        return await self._contents.kept(secret_place(endpoint_id), secret)

    async def _audit(
        self, connection: Connection, actor: Actor, verb: str, before: Endpoint | None, after: Endpoint | None
    ) -> None:
        about = before or after
        assert about is not None, "an endpoint is there before or after"  # noqa: S101 - an invariant
        what = AuditRecord(
            f"{self._family.noun}.{verb}",
            self._family.public_id(about.id),
            about.account_id,
            None if before is None else _facts(before),
            None if after is None else _facts(after),
        )
        await audit_log.record(connection, actor, what)

    async def _one(self, connection: Connection, statement: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
        """The one row of a statement about an endpoint. Raises the family's `not_found` without it."""
        row = await (await connection.execute(statement.encode(), parameters | {"kinds": self._kinds})).fetchone()
        if row is None:
            raise self._family.not_found()
        return row


def _facts(endpoint: Endpoint) -> Facts:
    """What the audit log says of an endpoint: of its target no more than the host, as paths of hooks are secrets."""
    said = facts_of(endpoint, "kind", "events", "description", "enabled", "previous_secret_until")
    return {**said, "host": urlsplit(endpoint.url).hostname}
