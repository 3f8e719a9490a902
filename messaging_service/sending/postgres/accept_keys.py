"""The first half of T1: the accounts that pay are locked, and the keys that nobody used before are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import msgspec

from messaging_service.abuse.domain.number_blocks import block_of
from messaging_service.abuse.postgres.key_shares import KeyShares, lock_keys
from messaging_service.abuse.postgres.send_guards import Block, Counting, SendGuards, read_blocks
from messaging_service.accounts.domain.account import Account, AccountMode, UnknownAccounts
from messaging_service.accounts.postgres.account_rows import (
    ACCOUNT,
    open_accounts,
)
from messaging_service.opt_outs.domain.suppression import Exemption, sender_key
from messaging_service.privacy.sealing.message_contents import Sealer
from messaging_service.sending.outbox import Acceptance
from messaging_service.shared.domain.message import Message
from messaging_service.shared.postgres.message_columns import MESSAGE
from service_kit.access.principal import AccessMode
from service_kit.postgres.database import Connection, Transaction
from service_kit.postgres.pipeline import Rows, Statement

Key = tuple[str, str]
"""An account and the message id that its client gave."""

_ACCOUNT = ", ".join(ACCOUNT.names)
_NO_ACCOUNT = ", ".join("NULL" for _ in ACCOUNT.names)


class _Found(NamedTuple):
    """What is found besides an account: a message whose key is new, or whose recipient wants none; one row for each."""

    message_id: UUID | None
    is_opted_out: bool


# Locks the accounts that pay, in the order of their ids, and only then writes the keys that nobody used
# before: the keys' accounts are read from the locked rows. Recipients who opted out are looked up one by
# one (OFFSET keeps the planner from reading the whole list instead); their keys are not written. What
# opts out while this runs is waited for on the other side, see opt_outs.py.
_ENTER = Statement(f"""
    WITH asked AS MATERIALIZED (
        SELECT keys.*, keys.phones IS NOT NULL AND EXISTS (
            SELECT 1 FROM suppression s
            WHERE s.phone = ANY(keys.phones) AND s.ended_at IS NULL
                AND (s.sender_key IS NULL OR s.sender_key = keys.sender_key)
                AND (s.account_id IS NULL OR s.account_id = keys.account_id)
            OFFSET 0
        ) AS opted_out
        FROM json_to_recordset(%(keys)s::json) AS keys (
            account_id text, key text, fingerprint text, message_id uuid, phones text[], sender_key text
        )
    ), payers AS MATERIALIZED (
        SELECT {ACCOUNT.sql} FROM account WHERE id = ANY(%(accounts)s) ORDER BY id FOR NO KEY UPDATE
    ), remembered AS (
        INSERT INTO idempotency (account_id, key, fingerprint, message_id)
        SELECT account_id, key, decode(fingerprint, 'hex'), message_id FROM asked
        WHERE NOT opted_out AND account_id IN (SELECT id FROM payers)
        ON CONFLICT DO NOTHING
        RETURNING message_id
    )
    SELECT {_ACCOUNT}, NULL::uuid, false FROM payers
    UNION ALL
    SELECT {_NO_ACCOUNT}, message_id, false FROM remembered
    UNION ALL
    SELECT {_NO_ACCOUNT}, message_id, true FROM asked WHERE opted_out
""")


class _Key(NamedTuple):
    """What is on record of a key."""

    fingerprint: bytes
    key: str


_KNOWN_MESSAGE = MESSAGE.plus(_Key, fingerprint="i.fingerprint", key="i.key")
_KNOWN = f"""
    SELECT {_KNOWN_MESSAGE.sql}
    FROM unnest(%s::text[], %s::text[]) AS asked (account_id, key)
    JOIN idempotency i USING (account_id, key)
    JOIN message m ON m.id = i.message_id
"""

_FORGET_KEYS = """
    DELETE FROM idempotency i USING unnest(%s::text[], %s::text[]) AS refused (account_id, key)
    WHERE i.account_id = refused.account_id AND i.key = refused.key
"""


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands when the accounts are locked."""

    accounts: dict[str, Account]
    new: set[UUID]
    """The messages whose keys nobody used before."""
    opted_out: set[UUID]
    """The messages to recipients who want none. A key used before still answers with its entry."""
    shares: KeyShares
    """The limits of the API keys that send, locked."""
    guards: SendGuards
    """The limits that count phones and numbers; they know the blocks of one-time codes."""


async def enter(
    transaction: Transaction,
    by_key: dict[Key, Acceptance],
    exemption: Exemption,
    unknown_accounts: UnknownAccounts,
    *,
    sealer: Sealer,
    counting: Counting,
) -> Entered:
    """Locks the accounts and writes the keys that are new; reads what limits will ask for, in the same round trip.

    Opens accounts that do not exist as `unknown_accounts` says; those that it refuses are missing from the answer.
    """
    keys = [
        {
            "account_id": account_id,
            "key": key,
            "fingerprint": sealer.fingerprint(item.fingerprint).hex(),
            "message_id": item.message_id,
            # No phone, nothing to look up.
            "phones": None if exemption.holds_for(item.request.tags) else sealer.phones(item.request.recipient),
            "sender_key": sender_key(item.request.sender_id),
        }
        for (account_id, key), item in by_key.items()
    ]
    wanted = sorted({account_id for account_id, _ in by_key})
    steps = [_ENTER(accounts=wanted, keys=msgspec.json.encode(keys))]
    # Each statement sees what was committed when it begins: those behind the locks see all that these waited for.
    if api_keys := {item.api_key for item in by_key.values() if item.api_key is not None}:
        steps.append(lock_keys(api_keys))
    if blocks := {_block(item) for item in by_key.values() if _is_code(item, counting)}:
        steps.append(read_blocks(blocks))

    async def entered() -> Entered:
        found, *others = await transaction.run(*steps)
        shares = KeyShares.read(others.pop(0)) if api_keys else KeyShares()
        accounts, new, opted_out = _read(found)
        guards = SendGuards(accounts, counting)
        if blocks:
            guards.take(blocks, *others)
        return Entered(accounts, new, opted_out, shares, guards)

    first = await entered()
    if len(first.accounts) < len(wanted):
        # A message that is refused opens no account.
        sending = {key[0] for key, item in by_key.items() if item.message_id not in first.opted_out}
        missing = sending - first.accounts.keys()
        if missing and unknown_accounts is not UnknownAccounts.REFUSE:
            await open_accounts(transaction.connection, missing, AccountMode(unknown_accounts.value))
            return await entered()
    return first


def _is_code(item: Acceptance, counting: Counting) -> bool:
    """Whether it is a one-time code; a test reaches no phone."""
    return item.request.mode is AccessMode.LIVE and counting.otps.holds_for(item.request.tags)


def _block(item: Acceptance) -> Block:
    return item.request.account_id, block_of(item.request.recipient)


def _read(rows: Rows) -> tuple[dict[str, Account], set[UUID], set[UUID]]:
    """The accounts, the messages whose keys are new, and those whose recipients want none."""
    accounts: dict[str, Account] = {}
    new: set[UUID] = set()
    opted_out: set[UUID] = set()
    for row in rows:
        message_id, is_opted_out = _Found._make(row[len(ACCOUNT.names) :])
        if message_id is None:
            account = ACCOUNT.read(row)
            accounts[account.id] = account
        else:
            (opted_out if is_opted_out else new).add(message_id)
    return accounts, new, opted_out


async def known_messages(connection: Connection, known: dict[Key, Acceptance]) -> list[tuple[Key, Message, bytes]]:
    """The messages that keys used before lead to, each with the fingerprint of the request that made it."""
    cursor = await connection.execute(_KNOWN, ([account for account, _ in known], [key for _, key in known]))
    found = [_KNOWN_MESSAGE.read(row) for row in await cursor.fetchall()]
    return [((message.account_id, key), message, bytes(fingerprint)) for message, (fingerprint, key) in found]


async def forget_keys(connection: Connection, refused: Sequence[Key]) -> None:
    """Takes keys back whose requests were refused: the next try with them is a first one."""
    await connection.execute(_FORGET_KEYS, ([account for account, _ in refused], [key for _, key in refused]))
