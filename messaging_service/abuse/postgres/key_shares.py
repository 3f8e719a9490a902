"""Limits of API keys, inside the transaction that accepts messages.

Keys are locked after accounts, in the order of their ids: whoever waits for a key holds no account that the other one,
which has that key already, could still ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import msgspec

from messaging_service.abuse.domain.key_share import KeyShare
from messaging_service.accounts.domain.account_limits import AccountUsage
from messaging_service.accounts.postgres.account_rows import MINUTE, TODAY, USAGE
from messaging_service.shared.postgres.record_columns import RecordColumns
from service_kit.postgres.pipeline import Statement, Step

_SHARE: Final = RecordColumns(KeyShare, columns={"key_id": "id"}, parts={"usage": USAGE})

# A key that was never used has no row; the others give theirs as it is when they are locked. Keys that replaced one
# another have one row.
_LOCK: Final = Statement(f"""
    WITH limited AS MATERIALIZED (
        SELECT id, coalesce(counted_as, id) AS counted_as, messages_per_minute, daily_spend FROM api_key
        WHERE id = ANY(%(keys)s) AND (messages_per_minute IS NOT NULL OR daily_spend IS NOT NULL)
    ), used AS (
        INSERT INTO api_key_usage AS u (key_id) SELECT DISTINCT counted_as FROM limited ORDER BY counted_as
        ON CONFLICT (key_id) DO UPDATE SET key_id = excluded.key_id
        RETURNING key_id, spend_day, day_spent, counted_minute, minute_count
    )
    SELECT {_SHARE.sql} FROM used JOIN limited ON limited.counted_as = used.key_id
""")
_KEEP: Final = Statement(f"""
    UPDATE api_key_usage u SET
        spend_day = {TODAY}, day_spent = counted.spent, counted_minute = {MINUTE}, minute_count = counted.messages
    FROM json_to_recordset(%(rows)s::json) AS counted (key_id text, spent numeric, messages int)
    WHERE u.key_id = counted.key_id
""")


def lock_keys(keys: Iterable[str]) -> Step:
    """Locks the keys that have a limit, for `KeyShares.read`; the accounts of the transaction are locked before."""
    return _LOCK(keys=sorted(keys))


class KeyShares:
    """The keys of a transaction that have a limit. One that has none, or is not on record, limits nothing."""

    def __init__(self, shares: Iterable[KeyShare] = ()) -> None:
        self._shares = {share.key_id: share for share in shares}
        self._held: dict[str, AccountUsage] = {}

    @classmethod
    def read(cls, rows: Sequence[tuple[Any, ...]]) -> KeyShares:
        """Those in the rows that `lock_keys` gives."""
        return cls(map(_SHARE.read, rows))

    def share_of(self, key: str | None, amount: Decimal) -> KeyShare | None:
        """The share of a key with one message more; None when nothing limits it. Raises as KeyShare.hold does."""
        share = self._shares.get(key) if key is not None else None
        if share is None:
            return None
        return replace(share, usage=self._held.get(share.counted_as, share.usage)).hold(amount)

    def count(self, share: KeyShare | None) -> None:
        """Counts the message that a share was asked for, which is accepted."""
        if share is not None:
            self._held[share.counted_as] = share.usage

    def kept(self) -> list[Step]:
        """Puts the counts on record."""
        if not self._held:
            return []
        rows = [
            {"key_id": counted_as, "spent": usage.spent_today, "messages": usage.sent_this_minute}
            for counted_as, usage in self._held.items()
        ]
        return [_KEEP(rows=msgspec.json.encode(rows))]
