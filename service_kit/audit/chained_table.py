"""Which tables are chained, and what of a row the chain covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

FORMAT: Final = 1
"""Of the encoding of rows and batches; on record with each batch, so that another one can follow it."""
GENESIS: Final = bytes(32)
"""Stands for the hash of the batch before the first one."""
MARK: Final = 8
"""Octets of a row's hash that a batch keeps, to say which row is broken; its own hash covers all of them."""


@dataclass(frozen=True, slots=True)
class ChainedTable:
    """A table whose rows are added with rising numbers, and never changed in what the chain covers."""

    chain: str
    """Names the chain, for instance `ledger`."""
    table: str
    key: str
    """The column with the number of a row, from 1 on."""
    covered: Sequence[str]
    """SQL expressions over a row: with the key, all that is evidence. Each must give the same for ever."""
    highest: str
    """SQL of one value: a number that no row is above which was given a number before."""

    @property
    def encoded(self) -> str:
        """SQL of a row in the canonical encoding: a JSON array of its covered values, as octets in UTF-8."""
        return f"convert_to(json_build_array({self.key}, {', '.join(self.covered)})::text, 'UTF8')"


@dataclass(frozen=True, slots=True)
class Batch:
    """A link of a chain: rows that were chained together."""

    number: int
    """1, 2, 3 and so on, without gaps."""
    last_id: int
    """The number of its last row; its first one follows that of the batch before."""
    rows: int
    marks: bytes
    """For each row its number, big-endian in 8 octets, and the first MARK octets of its hash."""
    hash: bytes
    format: int = FORMAT


def batch_hash(before: bytes, chain: str, number: int, last_id: int, digests: Sequence[bytes]) -> bytes:
    """The hash of a batch, from that of the batch before and the SHA-256 of each encoded row."""
    head = f"{chain}:{number}:{last_id}:{len(digests)}".encode()
    return sha256(b"".join((before, head, *digests))).digest()


def sequence(name: str) -> str:
    """The `highest` of a table whose numbers a sequence gives out."""
    return f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}"  # noqa: S608 - a constant


def instant(column: str) -> str:
    """An instant as the encoding has it: in UTC, whatever the session's time zone."""
    return f"{column} AT TIME ZONE 'UTC'"


AUDIT: Final = ChainedTable(
    "audit",
    "audit_entry",
    "id",
    (
        *(instant("at"), "action", "subject", "account", "principal", "principal_kind", "origin", "request_id"),
        *("before", "after"),
    ),
    sequence("audit_entry_id_seq"),
)
"""The audit log, which each database has."""
