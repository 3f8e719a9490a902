"""What the audit log says of rows that were removed with their month: they are missing, and the evidence is whole."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

import psycopg

ACTION: Final = "rows.removed"
"""In the audit log. The subject is the table; `numbers` are the ranges of the numbers of the rows."""
_REMOVED: Final = "SELECT after FROM audit_entry WHERE action = %s AND subject = %s ORDER BY id"


class RemovedRows:
    """The rows of a table that the audit log says were removed; that log is chained itself."""

    def __init__(self, facts: Sequence[Mapping[str, str]]) -> None:
        """`facts`: of each removal."""
        self._ranges = ranges([each["numbers"] for each in facts if "numbers" in each])
        self._firsts = [first for first, _ in self._ranges]
        self.met = 0
        """How many of them were looked for."""
        chained = (each["chain"].partition(":") for each in facts if "chain" in each)
        self.heads: Final = {int(number): bytes.fromhex(digest) for number, _, digest in chained}
        """The newest batch at each removal, which is an anchor of the chain."""

    def without(self, marked: Sequence[tuple[int, bytes]]) -> Sequence[tuple[int, bytes]]:
        """Rows by their numbers, but for those that were removed."""
        if not self._ranges:
            return marked
        left = [each for each in marked if each[0] not in self]
        self.met += len(marked) - len(left)
        return left

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number < self._ranges[place][1]


def removed_rows(connection: psycopg.Connection, table: str) -> RemovedRows:
    """Those of a table."""
    rows = connection.execute(_REMOVED, (ACTION, table)).fetchall()
    return RemovedRows([facts for (facts,) in rows])


def ranges(written: Sequence[str]) -> list[tuple[int, int]]:
    """Ranges as PostgreSQL writes them, such as `{[1,5),[7,8)}`: the first of each and the first after it."""
    found = [
        (int(first), int(after))
        for text in written
        for first, _, after in (each.strip("[)").partition(",") for each in text.strip("{}").split("),["))
        if first
    ]
    return sorted(found)
