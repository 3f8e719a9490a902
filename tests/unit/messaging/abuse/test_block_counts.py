"""What a process counts of blocks between two writes."""

from __future__ import annotations

import pytest

from messaging_service.abuse.domain.block_counts import BlockCounts, BlockHour, Counts, count

HERE = BlockHour("app", "+254712345", 494_000)


def test_what_transactions_counted_is_taken_once_and_in_order() -> None:
    counts = BlockCounts()
    for which in (HERE, HERE._replace(account_id="a"), HERE):
        with counts.noting() as tally:
            count(tally, which, sent=2)
            count(tally, which, refused=1)
    assert counts.take() == [(HERE._replace(account_id="a"), Counts(2, 1)), (HERE, Counts(4, 2))]
    assert counts.take() == []


def test_a_transaction_that_failed_counts_nothing() -> None:
    counts = BlockCounts()

    def fail() -> None:
        with counts.noting() as tally:
            count(tally, HERE, sent=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert counts.take() == []


def test_blocks_beyond_the_bound_are_not_counted_and_known_ones_are() -> None:
    counts = BlockCounts(most=1)
    counts.add(HERE, Counts(1, 0))
    counts.add(HERE._replace(hour=494_001), Counts(3, 1))
    counts.add(HERE, Counts(1, 0))
    assert (counts.take(), counts.dropped) == ([(HERE, Counts(2, 0))], 4)
