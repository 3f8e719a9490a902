"""Reading the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from messaging_service.privacy.sealing.message_contents import Sealer
from messaging_service.sending.outbox import ListFilter
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.outbox_ids import lowest_id
from messaging_service.shared.domain.states import STATUS_OF
from messaging_service.shared.postgres.message_columns import MESSAGE
from messaging_service.shared.postgres.month_ranges import SKEW, in_span, span, spares
from messaging_service.shared.postgres.tenancy import of_callers, tenants
from service_kit.access.principal import Accounts
from service_kit.postgres.database import Connection

_GET_MANY = f"SELECT {MESSAGE.sql} FROM message m WHERE m.id = ANY(%(ids)s) AND {in_span('m.id')}"
_GET = f"SELECT {MESSAGE.sql} FROM message m WHERE m.id = %(id)s AND {of_callers('m.account_id')}"


class _Key(NamedTuple):
    """What is on record of a key."""

    fingerprint: bytes


_FOUND = MESSAGE.plus(_Key, fingerprint="i.fingerprint")
_FIND = f"""
    SELECT {_FOUND.sql} FROM idempotency i JOIN message m ON m.id = i.message_id
    WHERE i.account_id = %s AND i.key = %s
"""
_FIRST_LOOK: Final = timedelta(days=27)
_PAGE = "ORDER BY m.created_at DESC, m.id DESC LIMIT %(limit)s"


async def get_messages(connection: Connection, ids: Sequence[UUID]) -> list[Message]:
    """Those of the messages that exist."""
    cursor = await connection.execute(_GET_MANY, {"ids": list(ids), "span": span(ids)})
    return [MESSAGE.read(row) for row in await cursor.fetchall()]


async def get_message(connection: Connection, message_id: UUID, accounts: Accounts) -> Message | None:
    """One message of these accounts; None when there is none."""
    row = await (await connection.execute(_GET, {"id": message_id, **tenants(accounts)})).fetchone()
    return None if row is None else MESSAGE.read(row)


async def find_message(connection: Connection, account_id: str, key: str) -> tuple[Message, bytes] | None:
    """The message recorded under an idempotency key, with the stored fingerprint of its request; None for none."""
    row = await (await connection.execute(_FIND, (account_id, key))).fetchone()
    if row is None:
        return None
    message, found = _FOUND.read(row)
    return message, bytes(found.fingerprint)


async def list_messages(
    connection: Connection, wanted: ListFilter, limit: int, after: tuple[datetime, UUID] | None, sealer: Sealer
) -> list[Message]:
    """Messages of an account, newest first.

    A page mostly ends within the newest month that may be in it, so that one is looked through alone first; how many
    months there are besides is then all the same.
    """
    until = min(each for each in (datetime.now(UTC), wanted.created_before, after and after[0]) if each is not None)
    newest = until - _FIRST_LOOK
    if wanted.created_from is None or wanted.created_from < newest - SKEW:
        page = await _page(connection, wanted, limit, after, sealer, until=until, since=newest)
        # What it left out is older.
        if len(page) == limit and page[-1].created_at >= newest:
            return page
    return await _page(connection, wanted, limit, after, sealer, until=until, since=wanted.created_from)


async def _page(
    connection: Connection,
    wanted: ListFilter,
    limit: int,
    after: tuple[datetime, UUID] | None,
    sealer: Sealer,
    *,
    until: datetime,
    since: datetime | None,
) -> list[Message]:
    """A page of ids between two times. Only conditions asked for are in the statement, for the plan of each."""
    conditions = ["m.account_id = %(account_id)s", spares("m.id", "<", "%(highest)s::uuid")]
    parameters: dict[str, object] = {
        "account_id": wanted.account_id,
        "highest": lowest_id(until + SKEW),
        "limit": limit,
    }
    if since is not None:
        conditions.append(spares("m.id", ">=", "%(lowest)s::uuid"))
        parameters["lowest"] = lowest_id(since - SKEW)
    if wanted.status is not None:
        conditions.append("m.state = ANY(%(states)s)")
        parameters["states"] = [state.value for state, status in STATUS_OF.items() if status is wanted.status]
    if wanted.tag is not None:
        conditions.append("m.tags @> ARRAY[%(tag)s::text] AND m.tags <> '{}'")
        parameters["tag"] = wanted.tag
    if wanted.created_from is not None:
        conditions.append("m.created_at >= %(created_from)s")
        parameters["created_from"] = wanted.created_from
    if wanted.created_before is not None:
        conditions.append("m.created_at < %(created_before)s")
        parameters["created_before"] = wanted.created_before
    if wanted.mode is not None:
        conditions.append("m.mode = %(mode)s")
        parameters["mode"] = wanted.mode.value
    if wanted.recipient is not None:
        # Where phones have an index, no message is found without it, and none needs to be.
        index = sealer.phone(wanted.recipient)
        conditions.append("m.recipient = %(recipient)s" if index is None else "m.recipient_index = %(recipient)s")
        parameters["recipient"] = wanted.recipient if index is None else index
    if after is not None:
        conditions.append("(m.created_at, m.id) < (%(after_time)s, %(after_id)s)")
        parameters["after_time"], parameters["after_id"] = after
    statement = f"SELECT {MESSAGE.sql} FROM message m WHERE {' AND '.join(conditions)} {_PAGE}"
    cursor = await connection.execute(statement.encode(), parameters)
    return [MESSAGE.read(row) for row in await cursor.fetchall()]
