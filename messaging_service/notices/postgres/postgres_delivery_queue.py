"""Hands out deliveries whose turn it is; one process at a time has an endpoint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from typing_extensions import override

from messaging_service.notices.delivery_ports import (
    BatchResult,
    DeliveryAttempt,
    DeliveryBatch,
    DeliveryQueue,
    PendingDelivery,
)
from messaging_service.notices.domain.endpoints import DeliveryState, EndpointKind
from messaging_service.notices.domain.retries import Retries
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents
from messaging_service.privacy.sealing.places import body_place, secret_place
from messaging_service.shared.postgres.migrated import migrated
from service_kit.postgres.database import Connection, Pool, transaction

LEASE_S: Final = 60
"""How long an endpoint stays with a process that does not finish; longer than any batch takes."""
BATCH_SIZE: Final = 50
"""Most deliveries of a batch that are sent one by one."""
CHANNEL_BATCH_SIZE: Final = 5_000
"""Most deliveries of a batch that is one text."""

_TAKE: Final = """
    UPDATE webhook_endpoint SET owner = %(lease)s, lease_until = now() + make_interval(secs => %(lease_s)s)
    WHERE id = ANY(ARRAY(
        SELECT e.id FROM webhook_endpoint e
        WHERE e.enabled AND e.deleted_at IS NULL AND e.kind = ANY(%(kinds)s)
            AND coalesce(e.paused_until <= now(), true)
            AND coalesce(e.lease_until <= now(), true)
            AND EXISTS (
                SELECT 1 FROM webhook_delivery d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.next_try_at <= now()
            )
        ORDER BY e.lease_until NULLS FIRST, e.id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED
    ))
    RETURNING id, kind, url, secret, CASE WHEN previous_secret_until > now() THEN previous_secret END
"""
_DELIVERIES: Final = """
    SELECT e.id, d.id, d.event_id, d.body, d.tries
    FROM unnest(%(endpoints)s::uuid[]) AS e (id) CROSS JOIN LATERAL (
        SELECT * FROM webhook_delivery d
        WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.next_try_at <= now()
        ORDER BY d.position LIMIT %(size)s
    ) d ORDER BY e.id, d.position
"""
_TAKEN: Final = """
    UPDATE webhook_delivery d SET state = 'delivered', next_try_at = NULL, last_try_at = now(),
        tries = least(d.tries + 1, 32767), last_status = done.status, last_error = NULL
    FROM unnest(%(ids)s::uuid[], %(statuses)s::int[]) AS done (id, status)
    WHERE d.id = done.id AND d.state = 'pending'
"""
_NOT_TAKEN: Final = """
    UPDATE webhook_delivery SET last_try_at = now(), tries = least(tries + 1, 32767), last_status = %(status)s,
        last_error = %(error)s,
        state = CASE WHEN %(ends)s OR now() + %(pause)s >= give_up_at THEN 'failed' ELSE 'pending' END,
        next_try_at = CASE WHEN NOT %(ends)s AND now() + %(pause)s < give_up_at THEN now() + %(pause)s END
    WHERE id = ANY(%(ids)s) AND state = 'pending' RETURNING state
"""
# The endpoint before its deliveries: the order of everything that changes both.
_HOLD: Final = "SELECT owner FROM webhook_endpoint WHERE id = %(id)s FOR NO KEY UPDATE"
_LET_GO: Final = """
    UPDATE webhook_endpoint SET owner = NULL, lease_until = NULL
    WHERE id = %(id)s AND owner = %(lease)s
"""
_WORKS: Final = """
    UPDATE webhook_endpoint SET failures = 0, failing_since = NULL, paused_until = NULL
    WHERE id = %(id)s AND owner = %(lease)s AND failures > 0
"""
_FAILS: Final = """
    UPDATE webhook_endpoint SET failures = failures + 1, failing_since = coalesce(failing_since, now())
    WHERE id = %(id)s AND owner = %(lease)s RETURNING failures
"""
_PAUSE: Final = "UPDATE webhook_endpoint SET paused_until = now() + %(pause)s WHERE id = %(id)s"
_DISABLE: Final = "UPDATE webhook_endpoint SET enabled = false, disabled_reason = 'GONE' WHERE id = %(id)s"


class PostgresDeliveryQueue(DeliveryQueue):
    """The deliveries of some kinds of endpoints."""

    def __init__(
        self,
        pool: Pool,
        retries: Retries,
        *,
        kinds: Collection[EndpointKind] = (EndpointKind.WEBHOOK,),
        size: int = BATCH_SIZE,
        contents: Contents = PLAIN,
    ) -> None:
        """`kinds`: the kinds of endpoints that are handed out. `size`: most deliveries of a batch.

        `contents` opens secrets and bodies.
        """
        self._contents = contents
        self._pool = pool
        self._retries = retries
        self._kinds = [kind.value for kind in kinds]
        self._size = size

    @override
    async def take(self, limit: int) -> Sequence[DeliveryBatch]:
        lease = uuid4().hex
        async with migrated(transaction(self._pool)) as connection:
            asked = {"lease": lease, "lease_s": LEASE_S, "limit": limit, "kinds": self._kinds}
            endpoints = await (await connection.execute(_TAKE, asked)).fetchall()
            if not endpoints:
                return []
            ids = [row[0] for row in endpoints]
            cursor = await connection.execute(_DELIVERIES, {"endpoints": ids, "size": self._size})
            rows = await cursor.fetchall()
        deliveries: dict[UUID, list[PendingDelivery]] = {}
        bodies = await self._contents.words([(body_place(row[1]), row[3]) for row in rows])
        for (endpoint_id, delivery_id, event_id, _, tries), body in zip(rows, bodies, strict=True):
            # One whose key is destroyed is never sent, and given up in time.
            if body is not None:
                pending = PendingDelivery(delivery_id, event_id, body, tries)
                deliveries.setdefault(endpoint_id, []).append(pending)
        batches = []
        for endpoint_id, kind, url, secret, previous in endpoints:
            secrets = await self._secrets(endpoint_id, secret, previous)
            # Nothing is sent unsigned because its secret cannot be read any more.
            if secrets:
                due = tuple(deliveries.get(endpoint_id, ()))
                batches.append(DeliveryBatch(endpoint_id, EndpointKind(kind), url, secrets, due, lease))
        return batches

    async def _secrets(self, endpoint_id: UUID, *stored: str | None) -> tuple[str, ...]:
        """The secrets of an endpoint, in the same order."""
        place = secret_place(endpoint_id)
        opened = await self._contents.words([(place, secret) for secret in stored if secret is not None])
        return tuple(secret for secret in opened if secret is not None)

    @override
    async def finish(self, batch: DeliveryBatch, attempts: Sequence[DeliveryAttempt]) -> BatchResult:
        # What was taken is recorded even when another process has the endpoint now, because it did happen. What failed
        # is not: put off, it would be overtaken by those behind it, which the other process sends.
        owned = {"id": batch.endpoint_id, "lease": batch.lease}
        taken = [one for one in attempts if one.answer.taken]
        given_up, disabled = 0, False
        async with migrated(transaction(self._pool)) as connection:
            owner = await (await connection.execute(_HOLD, owned)).fetchone()
            if taken:
                ids = [one.delivery.delivery_id for one in taken]
                statuses = [one.answer.status for one in taken]
                await connection.execute(_TAKEN, {"ids": ids, "statuses": statuses})
                await connection.execute(_WORKS, owned)
            failed = [one for one in attempts if not one.answer.taken]
            if failed and owner == (batch.lease,):
                given_up = await self._note_failure(connection, failed, owned)
                disabled = failed[0].answer.gone
            await connection.execute(_LET_GO, owned)
        return BatchResult(given_up, disabled)

    async def _note_failure(
        self, connection: Connection, failed: Sequence[DeliveryAttempt], owned: dict[str, Any]
    ) -> int:
        """Puts off what failed, or gives it up; returns how many deliveries are given up."""
        # Several failed as one text. With the pause of the oldest they are one text again.
        one = failed[0]
        tries = one.delivery.tries + 1
        asked = self._retries.asked_pause(one.answer.retry_after)
        pause = max(self._retries.pause(tries), asked)
        parameters = {
            "ids": [each.delivery.delivery_id for each in failed],
            "status": one.answer.status,
            "error": one.answer.error,
            "pause": pause,
            "ends": one.answer.gone,
        }
        states = await (await connection.execute(_NOT_TAKEN, parameters)).fetchall()
        row = await (await connection.execute(_FAILS, owned)).fetchone()
        if one.answer.gone:
            await connection.execute(_DISABLE, owned)
        elif row is not None:
            # The deliveries behind wait for the next try of this one, or only for the endpoint to recover; in either
            # case for as long as the endpoint asked.
            waits = tries <= self._retries.in_order_tries
            alone = pause if waits else max(self._retries.endpoint_pause(row[0]), asked)
            await connection.execute(_PAUSE, owned | {"pause": alone})
        return sum(state == DeliveryState.FAILED.value for (state,) in states)
