"""Rows of the inbox of delivery receipts: stored, read for a pass, and postponed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from messaging_service.carriers.domain.submission import DeliveryReceipt, canonical_carrier_id
from messaging_service.privacy.sealing.message_contents import Sealer
from messaging_service.privacy.sealing.places import receipt_place
from messaging_service.shared.postgres.month_ranges import in_newest_months
from service_kit.postgres.database import Connection, Transaction
from service_kit.postgres.pipeline import Statement, Step

ALL_MONTHS_AFTER_TRIES: Final = 2
"""Of a receipt whose part was not found in the newest two months: from then on it is looked for in all of them."""

_STORE = Statement("""
    INSERT INTO receipt (carrier, carrier_message_id, canonical_id, state, recipient, sender_id, network_error,
        done_at, raw, network, all_parts, other_id, known_parts, phone_alone, failure_code)
    SELECT * FROM json_to_recordset(%(receipts)s::json) AS receipts (
        carrier text, carrier_message_id text, canonical_id text, state text, recipient text, sender_id text,
        network_error text, done_at timestamptz, raw text, network text, all_parts boolean, other_id text,
        known_parts boolean, phone_alone boolean, failure_code text
    )
""")

_DUE = (
    "id, carrier, canonical_id, carrier_message_id, state, recipient, sender_id, network_error, tries, all_parts, "
    "other_id, known_parts, phone_alone, failure_code, received_at"
)


def _with_parts(months: str) -> str:
    """SQL of the receipts `due` with their parts, by the carrier's id.

    Carriers give an id to several messages, at once or after months: meant is the newest part of a message to the
    receipt's phone, and the newest of all where the receipt names no phone or, in the end, another one. `months`: SQL
    of the messages `m` with parts `p` that are looked at.
    """
    return f"""
    SELECT due.id, due.carrier, due.carrier_message_id, due.state, due.recipient, due.sender_id,
        due.network_error, due.tries, due.all_parts, due.known_parts, due.phone_alone, due.failure_code,
        extract(epoch FROM now() - due.received_at)::float8, p.message_id, p.attempt, p.canonical_id,
        coalesce(p.recipient <> due.recipient, false)
    FROM due LEFT JOIN LATERAL (
        SELECT p.message_id, p.attempt, p.canonical_id, m.recipient
        FROM message_part p JOIN message m ON m.id = p.message_id
        WHERE p.carrier = due.carrier AND p.canonical_id = ANY(ARRAY[due.canonical_id, due.other_id])
            AND (NOT due.phone_alone OR m.recipient = due.recipient) AND {months}
        ORDER BY m.recipient IS NOT DISTINCT FROM due.recipient DESC, p.canonical_id = due.canonical_id DESC,
            p.message_id DESC, p.attempt DESC
        LIMIT 1
    ) p ON true
    ORDER BY due.id
    """


# Receipts come within days of the submit, and mostly within the month of the message, so that two months are looked at.
_WAITING = Statement(f"""
    WITH due AS (
        SELECT {_DUE} FROM receipt WHERE next_try_at <= now()
        ORDER BY next_try_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    {_with_parts(f"{in_newest_months('p.message_id')} AND {in_newest_months('m.id')}")}
""")
# For the others, as those of messages that were scheduled long before: all months.
_IN_ALL_MONTHS = Statement(f"""
    WITH due AS (SELECT {_DUE} FROM receipt WHERE id = ANY(%(receipts)s::bigint[]))
    {_with_parts("true")}
""")
# Waits 1, 2, 4 … s, at most an hour; given up for good, and kept as an orphan, after about three days.
_POSTPONE = Statement("""
    UPDATE receipt SET tries = tries + 1, next_try_at = CASE WHEN tries < 80
        THEN now() + make_interval(secs => least(3600, power(2, least(tries, 12)))) END
    WHERE id = ANY(%(receipts)s::bigint[])
""")


@dataclass(frozen=True, slots=True)
class WaitingReceipt:
    """A receipt of the inbox, with the part that has its id, if any."""

    id: int
    carrier: str
    carrier_message_id: str
    state: str
    recipient: str | None
    sender_id: str | None
    network_error: str | None
    tries: int
    all_parts: bool
    known_parts: bool
    phone_alone: bool
    failure_code: str | None
    age_s: float
    message_id: UUID | None
    attempt: int | None
    found_id: str | None
    """The canonical id of that part, in whichever reading it was found."""
    is_to_another: bool
    """Whether that part went to another phone than the receipt names."""

    @property
    def canonical_id(self) -> str:
        """The id by which its part is found, in the reading that found one."""
        return self.found_id or canonical_carrier_id(self.carrier_message_id)


async def store(connection: Connection, receipts: Sequence[DeliveryReceipt], sealer: Sealer) -> None:
    """Stores receipts as they came; their words in envelopes of no account, because nobody knows whose they are."""
    rows = [
        {
            "carrier": receipt.carrier,
            "carrier_message_id": receipt.carrier_message_id,
            "canonical_id": canonical_carrier_id(receipt.carrier_message_id),
            "state": receipt.state.value,
            "recipient": receipt.recipient,
            "sender_id": receipt.sender_id,
            "network_error": receipt.network_error,
            "done_at": receipt.done_at,
            "raw": sealer.words("", receipt_place(receipt.carrier, receipt.carrier_message_id), receipt.raw) or "",
            "network": receipt.network,
            "all_parts": receipt.speaks_for_all_parts,
            "other_id": None if receipt.other_message_id is None else canonical_carrier_id(receipt.other_message_id),
            "known_parts": receipt.speaks_for_known_parts,
            "phone_alone": receipt.is_of_phone_alone,
            "failure_code": receipt.failure_code,
        }
        for receipt in receipts
    ]
    await connection.trip(_STORE(receipts=msgspec.json.encode(rows)))


async def postpone_next(transaction: Transaction) -> None:
    """Lets the receipt that would be worked next wait longer."""
    await transaction.run_last(postponed([receipt.id for receipt in await waiting_receipts(transaction, 1)]))


async def waiting_receipts(transaction: Transaction, limit: int) -> list[WaitingReceipt]:
    """Locks up to `limit` receipts that are due and that no other process works on, by their ids."""
    (rows,) = await transaction.run(_WAITING(limit=limit))
    waiting = [WaitingReceipt(*row) for row in rows]
    late = [
        receipt.id
        for receipt in waiting
        if receipt.tries >= ALL_MONTHS_AFTER_TRIES and (receipt.message_id is None or receipt.is_to_another)
    ]
    if not late:
        return waiting
    (rows,) = await transaction.run(_IN_ALL_MONTHS(receipts=late))
    found = {receipt.id: receipt for receipt in (WaitingReceipt(*row) for row in rows)}
    return [found.get(receipt.id, receipt) for receipt in waiting]


def postponed(receipts: Sequence[int]) -> Step:
    """Lets these receipts wait longer, as one statement of a pipeline."""
    return _POSTPONE(receipts=receipts)
