"""Resend and cancel: one message, one transaction."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from messaging_service.abuse.postgres.key_shares import KeyShares, lock_keys
from messaging_service.abuse.postgres.send_guards import Counting, SendGuards
from messaging_service.accounts.postgres.account_rows import HOLD_MORE, lock_accounts
from messaging_service.opt_outs.domain.suppression import Exemption, opted_out
from messaging_service.opt_outs.postgres.postgres_suppressions import covering
from messaging_service.privacy.sealing.message_contents import Contents, Sealer, with_text_of
from messaging_service.sending.domain.entry_rules import check_cancel, check_resend
from messaging_service.sending.postgres.accept_messages import LANES
from messaging_service.shared.domain.message import Message, no_such_entry, outbox_id
from messaging_service.shared.postgres.message_columns import MESSAGE
from messaging_service.shared.postgres.tenancy import of_callers, tenants
from service_kit.access.principal import AccessMode, Accounts
from service_kit.postgres.database import Connection


class _Clock(NamedTuple):
    """What the database's clock says of a message."""

    is_outdated: bool


_LOCKED = MESSAGE.plus(_Clock, is_outdated="coalesce(m.expires_at <= now(), false)")
_LOCK = f"""
    SELECT {_LOCKED.sql} FROM message m WHERE m.id = %(id)s AND {of_callers("m.account_id")}
    FOR NO KEY UPDATE
"""

_REQUEUE = f"""
    WITH queued AS (
        INSERT INTO dispatch (message_id, route, lane, due_at, queued_at, state, epoch, expires_at, recipient)
        VALUES (%(id)s, %(route)s, %(lane)s, now(), now(), 'ready', %(epoch)s, %(expires_at)s, %(recipient)s)
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, from_state, to_state, actor)
        VALUES (%(id)s, %(attempt)s, %(from_state)s, 'ready', %(owner)s)
    ), held AS (
        UPDATE account a SET {HOLD_MORE}
        FROM (SELECT %(total)s::numeric AS total, 1 AS messages) s WHERE a.id = %(account_id)s
    )
    UPDATE message m SET
        state = 'ready', billing = 'held', retry_count = m.retry_count + 1, error_code = NULL,
        carrier_error_code = NULL, carrier = NULL, sent_at = NULL, delivered_at = NULL
    WHERE m.id = %(id)s
    RETURNING {MESSAGE.sql}
"""

EPOCHS_OF_AN_ATTEMPT = 100_000
"""More than the claims that one attempt can have. Epochs go on rising after a resend, whose row in the queue is a
new one: a claim of the attempt before must not pass for the present one."""

_UNQUEUE = f"""
    DELETE FROM dispatch d USING message m
    WHERE d.message_id = %(id)s AND d.state = 'ready' AND m.id = d.message_id AND {of_callers("m.account_id")}
    RETURNING d.message_id
"""

_CANCEL = f"""
    WITH noted AS (
        INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, code)
        SELECT id, retry_count + 1, state, 'cancelled', %(owner)s, 'CANCELLED' FROM message WHERE id = %(id)s
    ), released AS (
        UPDATE account a SET held = a.held - m.total FROM message m WHERE m.id = %(id)s AND a.id = m.account_id
    )
    UPDATE message m SET state = 'cancelled', billing = 'released', error_code = 'CANCELLED'
    WHERE m.id = %(id)s
    RETURNING {MESSAGE.sql}
"""


async def resend(
    connection: Connection,
    message_id: UUID,
    max_retries: int,
    route: str,
    owner: str,
    *,
    exemption: Exemption,
    contents: Contents,
    accounts: Accounts,
    counting: Counting,
    api_key: str | None,
) -> Message:
    """Queues a failed message for another attempt, held again at its frozen price; raises as Outbox.resend."""
    stored, is_outdated = await _locked(connection, message_id, accounts)
    (message,) = await contents.opened([stored])
    check_resend(message, is_outdated=is_outdated, max_retries=max_retries)
    await _check_opt_out(connection, message, exemption, await contents.sealer([]))
    locked = await lock_accounts(connection, {message.account_id})
    account = locked[message.account_id]
    guards = SendGuards(locked, counting)
    # A test reaches no phone, which limits are about.
    is_live = message.mode is AccessMode.LIVE
    guarded = guards.plan(account.id, message.recipient, message.tags) if is_live else None
    if guarded is not None:
        await guards.read(connection)
        guards.check(guarded)
        guards.count(guarded)
        if counts := guards.kept():
            await connection.trip(*counts)
    if api_key is not None:
        (rows,) = await connection.trip(lock_keys([api_key]))
        keys = KeyShares.read(rows)
        keys.count(keys.share_of(api_key, message.total))
        if counts := keys.kept():
            await connection.trip(*counts)
    account.hold(message.total, message.mode)
    cursor = await connection.execute(
        _REQUEUE,
        {
            "id": message.id,
            "account_id": message.account_id,
            "recipient": message.recipient,
            "total": message.total,
            "route": route,
            "lane": LANES[message.priority],
            "attempt": message.retry_count + 2,
            "epoch": (message.retry_count + 1) * EPOCHS_OF_AN_ATTEMPT,
            "from_state": message.state.value,
            "expires_at": message.expires_at,
            "owner": owner,
        },
    )
    row = await cursor.fetchone()
    assert row is not None, "the row was locked above"  # noqa: S101 - an invariant, not a check of input
    return with_text_of(MESSAGE.read(row), message)


async def _check_opt_out(connection: Connection, message: Message, exemption: Exemption, sealer: Sealer) -> None:
    if exemption.holds_for(message.tags):
        return
    if await covering(connection, sealer.phones(message.recipient), message.sender_id, message.account_id):
        raise opted_out(message.sender_id, message.account_id)


async def cancel(connection: Connection, message_id: UUID, owner: str, accounts: Accounts) -> Message:
    """Stops a message that was not submitted yet; raises as Outbox.cancel."""
    # The queue row first: that is the order in which claims and settlements lock.
    cursor = await connection.execute(_UNQUEUE, {"id": message_id, **tenants(accounts)})
    unqueued = await cursor.fetchone()
    message, _ = await _locked(connection, message_id, accounts)
    check_cancel(message, is_queued=unqueued is not None)
    await lock_accounts(connection, {message.account_id})
    cursor = await connection.execute(_CANCEL, {"id": message_id, "owner": owner})
    row = await cursor.fetchone()
    assert row is not None, "the row was locked above"  # noqa: S101 - an invariant, not a check of input
    return MESSAGE.read(row)


async def _locked(connection: Connection, message_id: UUID, accounts: Accounts) -> tuple[Message, bool]:
    """The message of one of the accounts, and whether its validity is over on the database's clock."""
    cursor = await connection.execute(_LOCK, {"id": message_id, **tenants(accounts)})
    row = await cursor.fetchone()
    if row is None:
        raise no_such_entry(outbox_id(message_id))
    message, clock = _LOCKED.read(row)
    return message, clock.is_outdated
