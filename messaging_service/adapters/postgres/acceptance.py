"""T1: requests become rows with their money on hold, many in one transaction.

Lock order, the same everywhere: dispatch, message, account (by id), then new rows. Accounts are locked
before any idempotency key is written, so two transactions with the same keys queue at the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from messaging_service.adapters.postgres.accounts import (
    ACCOUNT_COLUMNS,
    ACCOUNT_NAMES,
    ACCOUNT_WIDTH,
    HOLD_MORE,
    open_accounts,
    to_account,
)
from messaging_service.adapters.postgres.recipient_limits import count_recipients, recipient_counts
from messaging_service.adapters.postgres.rows import MESSAGE_COLUMNS, MESSAGE_WIDTH, to_message
from messaging_service.domain.accounts import Account
from messaging_service.domain.message import Message
from messaging_service.domain.states import Billing, Priority, State
from messaging_service.domain.suppression import Exemption, opted_out, sender_key
from messaging_service.use_cases.outbox import Acceptance, Accepted
from service_kit.database import Connection
from service_kit.errors import Kind, ServiceError

LANES = {Priority.HIGH: 0, Priority.NORMAL: 1}
"""The order in which the queue is looked through."""

_NO_ACCOUNT = ", ".join(["NULL"] * ACCOUNT_WIDTH)

# Locks the accounts that pay, in the order of their ids, and only then writes the keys that nobody used
# before: the keys' accounts are read from the locked rows. Recipients who opted out are looked up one by
# one (OFFSET keeps the planner from reading the whole list instead); their keys are not written. What
# opts out while this runs is waited for on the other side, see opt_outs.py.
_ENTER = f"""
    WITH asked AS MATERIALIZED (
        SELECT keys.*, keys.phone IS NOT NULL AND EXISTS (
            SELECT 1 FROM suppression s
            WHERE s.phone = keys.phone AND s.ended_at IS NULL
                AND (s.sender_key IS NULL OR s.sender_key = keys.sender_key)
                AND (s.account_id IS NULL OR s.account_id = keys.account_id)
            OFFSET 0
        ) AS opted_out
        FROM json_to_recordset(%(keys)s::json) AS keys (
            account_id text, key text, fingerprint text, message_id uuid, phone text, sender_key text
        )
    ), payers AS MATERIALIZED (
        SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = ANY(%(accounts)s) ORDER BY id FOR NO KEY UPDATE
    ), remembered AS (
        INSERT INTO idempotency (account_id, key, fingerprint, message_id)
        SELECT account_id, key, decode(fingerprint, 'hex'), message_id FROM asked
        WHERE NOT opted_out AND account_id IN (SELECT id FROM payers)
        ON CONFLICT DO NOTHING
        RETURNING message_id
    )
    SELECT {ACCOUNT_NAMES}, NULL::uuid, false FROM payers
    UNION ALL
    SELECT {_NO_ACCOUNT}, message_id, false FROM remembered
    UNION ALL
    SELECT {_NO_ACCOUNT}, message_id, true FROM asked WHERE opted_out
"""

_KNOWN = f"""
    SELECT {MESSAGE_COLUMNS}, i.fingerprint, i.key
    FROM unnest(%s::text[], %s::text[]) AS asked (account_id, key)
    JOIN idempotency i USING (account_id, key)
    JOIN message m ON m.id = i.message_id
"""

_FORGET_KEYS = """
    DELETE FROM idempotency i USING unnest(%s::text[], %s::text[]) AS refused (account_id, key)
    WHERE i.account_id = refused.account_id AND i.key = refused.key
"""

# One statement writes everything. The database's clock alone decides whether a scheduled message is due.
_RECORD = f"""
    WITH input AS (
        SELECT *, wanted.reserved AND coalesce(wanted.expires_at > now(), true) AS claimed
        FROM json_to_recordset(%(rows)s::json) AS wanted (
            id uuid, account_id text, key text, app_id text, recipient text, text text, sender_id text,
            message_name text, priority text, encoding text, units smallint, cost_id text, level text,
            unit_price numeric, total numeric, priced_at timestamptz, price_known_at timestamptz,
            scheduled_at timestamptz, reserved bool, tags json, custom_data text, route text, expires_at timestamptz
        )
    ), recorded AS (
        INSERT INTO message (
            id, account_id, client_message_id, app_id, recipient, text, sender_id, message_name, priority,
            encoding, units, price_cost_id, price_level, unit_price, total, priced_at, price_known_at, scheduled_at,
            tags, custom_data, expires_at, billing, state, last_attempt_at
        )
        SELECT
            id, account_id, key, app_id, recipient, text, sender_id, message_name, priority,
            encoding, units, cost_id, level, unit_price, total, priced_at, price_known_at, scheduled_at,
            ARRAY(SELECT json_array_elements_text(tags)), custom_data::jsonb, expires_at,
            'held',
            CASE WHEN claimed THEN 'submitting' WHEN scheduled_at > now() THEN 'scheduled' ELSE 'ready' END,
            CASE WHEN claimed THEN now() END
        FROM input
        RETURNING id, account_id, total, state, created_at, last_attempt_at
    ), queued AS (
        INSERT INTO dispatch (
            message_id, route, lane, due_at, queued_at, state, epoch, owner, lease_until, expires_at,
            recipient
        )
        SELECT
            id, route, CASE priority WHEN 'high' THEN 0 ELSE 1 END,
            greatest(scheduled_at, now()), greatest(scheduled_at, now()),
            CASE WHEN claimed THEN 'submitting' ELSE 'ready' END,
            CASE WHEN claimed THEN 1 ELSE 0 END,
            CASE WHEN claimed THEN %(owner)s END,
            CASE WHEN claimed THEN now() + make_interval(secs => %(lease_s)s) END,
            expires_at,
            CASE WHEN NOT claimed THEN recipient END
        FROM input
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, to_state, actor)
        SELECT id, 1, state, %(owner)s FROM recorded
    ), held AS (
        UPDATE account a SET {HOLD_MORE}
        FROM (
            SELECT account_id, sum(total) AS total, count(*) AS messages FROM recorded GROUP BY account_id
        ) s
        WHERE a.id = s.account_id
    )
    SELECT id, state, created_at, last_attempt_at FROM recorded
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """Under whose name rows are claimed, and for how long."""

    name: str
    lease_s: float
    usable_s: float
    """How long a claim may be used: the lease less its margin."""


Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Entered:
    """What stands when the accounts are locked."""

    accounts: dict[str, Account]
    new: set[UUID]
    """The messages whose keys nobody used before."""
    opted_out: set[UUID]
    """The messages to recipients who want none. A key used before still answers with its entry."""


async def accept(
    connection: Connection, batch: Sequence[Acceptance], owner: Owner, exemption: Exemption
) -> list[Accepted | ServiceError]:
    """Records a batch inside the caller's transaction; see Outbox.accept."""
    by_key: dict[Key, Acceptance] = {}
    for acceptance in batch:
        by_key.setdefault((acceptance.request.account_id, acceptance.key), acceptance)
    entered = await _enter(connection, by_key, exemption)
    results: dict[Key, Accepted | ServiceError] = {}
    fingerprints: dict[Key, bytes] = {}
    known = {key: item for key, item in by_key.items() if item.message_id not in entered.new}
    if known:
        for key, item in known.items():
            if item.message_id in entered.opted_out:
                results[key] = opted_out(item.request.sender_id, item.request.account_id)
        for key, message, fingerprint in await _known(connection, known):
            results[key] = Accepted(message, replayed=message.id != known[key].message_id)
            fingerprints[key] = fingerprint
    affordable = await _affordable(connection, by_key, entered.new, entered.accounts, results)
    if affordable:
        for message in await _record(connection, affordable, owner):
            results[message.account_id, message.client_message_id] = Accepted(message, replayed=False)
    return [_answer(acceptance, by_key, results, fingerprints) for acceptance in batch]


async def _enter(connection: Connection, by_key: dict[Key, Acceptance], exemption: Exemption) -> _Entered:
    """Locks the accounts and writes the keys that are new."""
    keys = [
        {
            "account_id": account_id,
            "key": key,
            "fingerprint": item.fingerprint.hex(),
            "message_id": item.message_id,
            # No phone, nothing to look up.
            "phone": None if exemption.holds_for(item.request.tags) else item.request.recipient,
            "sender_key": sender_key(item.request.sender_id),
        }
        for (account_id, key), item in by_key.items()
    ]
    wanted = sorted({account_id for account_id, _ in by_key})
    parameters = {"accounts": wanted, "keys": msgspec.json.encode(keys).decode()}
    entered = _entered(await (await connection.execute(_ENTER, parameters)).fetchall())
    if len(entered.accounts) < len(wanted):
        # A message that is refused opens no account.
        sending = {key[0] for key, item in by_key.items() if item.message_id not in entered.opted_out}
        if missing := sending - entered.accounts.keys():
            await open_accounts(connection, missing)
            entered = _entered(await (await connection.execute(_ENTER, parameters)).fetchall())
    return entered


def _entered(rows: Sequence[tuple[Any, ...]]) -> _Entered:
    entered = _Entered({}, set(), set())
    for row in rows:
        message_id, is_opted_out = row[ACCOUNT_WIDTH:]
        if message_id is None:
            entered.accounts[row[0]] = to_account(row)
        else:
            (entered.opted_out if is_opted_out else entered.new).add(message_id)
    return entered


async def _known(connection: Connection, known: dict[Key, Acceptance]) -> list[tuple[Key, Message, bytes]]:
    cursor = await connection.execute(_KNOWN, ([account for account, _ in known], [key for _, key in known]))
    return [
        ((row[1], row[MESSAGE_WIDTH + 1]), to_message(row), bytes(row[MESSAGE_WIDTH]))
        for row in await cursor.fetchall()
    ]


async def _affordable(
    connection: Connection,
    by_key: dict[Key, Acceptance],
    new: set[UUID],
    accounts: dict[str, Account],
    results: dict[Key, Accepted | ServiceError],
) -> list[Acceptance]:
    """The new requests that their accounts can hold, in order; the others are answered and forgotten."""
    affordable: list[Acceptance] = []
    refused: list[Key] = []
    asked = {key: item for key, item in by_key.items() if item.message_id in new}
    limited = [item.request for key, item in asked.items() if accounts[key[0]].limits.messages_per_recipient_hour]
    counts = await recipient_counts(connection, limited) if limited else {}
    for key, item in asked.items():
        account = accounts[item.request.account_id]
        phone = (account.id, item.request.recipient)
        try:
            account.check_recipient(counts.get(phone, 0))
            accounts[account.id] = account.hold(item.price.total(item.request.segmentation.units))
        except ServiceError as error:
            results[key] = error
            refused.append(key)
        else:
            affordable.append(item)
            if phone in counts:
                counts[phone] += 1
    if counts:
        await count_recipients(connection, counts)
    if refused:
        await connection.execute(_FORGET_KEYS, ([account for account, _ in refused], [key for _, key in refused]))
    return affordable


async def _record(connection: Connection, batch: Sequence[Acceptance], owner: Owner) -> list[Message]:
    rows = [
        {
            "id": item.message_id,
            "account_id": item.request.account_id,
            "key": item.key,
            "app_id": item.request.app_id,
            "recipient": item.request.recipient,
            "text": item.request.text,
            "sender_id": item.request.sender_id,
            "message_name": item.request.message_name,
            "priority": item.request.priority.value,
            "encoding": item.request.segmentation.encoding.value,
            "units": item.request.segmentation.units,
            "cost_id": item.price.cost_id,
            "level": item.price.level.value,
            "unit_price": item.price.unit_price,
            "total": item.price.total(item.request.segmentation.units),
            "priced_at": item.priced_at,
            "price_known_at": item.price_known_at,
            "scheduled_at": item.request.scheduled_at,
            "expires_at": item.request.expires_at,
            "reserved": item.claimed,
            "tags": item.request.tags,
            "custom_data": item.request.custom_data_json,
            "route": item.route,
        }
        for item in batch
    ]
    cursor = await connection.execute(
        _RECORD, {"rows": msgspec.json.encode(rows).decode(), "owner": owner.name, "lease_s": owner.lease_s}
    )
    recorded = {row[0]: row for row in await cursor.fetchall()}
    return [_message(item, *recorded[item.message_id][1:]) for item in batch]


def _array_literal(values: Sequence[str]) -> str:
    """A PostgreSQL array literal; a two-dimensional parameter would need rows of one length."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"


def _message(acceptance: Acceptance, state: str, created_at: datetime, last_attempt_at: datetime | None) -> Message:
    request = acceptance.request
    return Message(
        id=acceptance.message_id,
        account_id=request.account_id,
        client_message_id=acceptance.key,
        app_id=request.app_id,
        recipient=request.recipient,
        text=request.text,
        sender_id=request.sender_id,
        message_name=request.message_name,
        priority=request.priority,
        encoding=request.segmentation.encoding,
        units=request.segmentation.units,
        price=acceptance.price,
        priced_at=acceptance.priced_at,
        price_known_at=acceptance.price_known_at,
        total=acceptance.price.total(request.segmentation.units),
        state=State(state),
        billing=Billing.HELD,
        retry_count=0,
        error_code=None,
        carrier_error_code=None,
        carrier=None,
        created_at=created_at,
        scheduled_at=request.scheduled_at,
        expires_at=request.expires_at,
        sent_at=None,
        last_attempt_at=last_attempt_at,
        delivered_at=None,
        tags=request.tags,
        custom_data_json=request.custom_data_json,
    )


def _answer(
    acceptance: Acceptance,
    by_key: dict[Key, Acceptance],
    results: dict[Key, Accepted | ServiceError],
    fingerprints: dict[Key, bytes],
) -> Accepted | ServiceError:
    key = (acceptance.request.account_id, acceptance.key)
    first = by_key[key]
    fingerprint = fingerprints.get(key) or first.fingerprint
    is_repetition = acceptance is not first or key in fingerprints
    if is_repetition and acceptance.fingerprint != fingerprint:
        return ServiceError(
            Kind.ALREADY_EXISTS,
            "MESSAGE_ID_REUSED",
            "this message_id stands for a different request of the account; nothing was stored or charged, "
            "use a new message_id",
            metadata={"message_id": acceptance.key},
        )
    result = results[key]
    if acceptance is not first and isinstance(result, Accepted):
        return Accepted(result.message, replayed=True)
    return result
