"""An audit of the copy: what the copy was not told of is named, what changes meanwhile is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service_kit.errors import ServiceError
from tests.doubles.price_book_double import SPECIFIC, Follower, following


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    async with following(capacity=10_000) as made:
        yield made


async def test_an_audit_finds_a_true_copy_equal(follower: Follower) -> None:
    for app in (None, "shop"):
        await asyncio.gather(*(follower.price(f"c{number}", app) for number in range(1_234)))
    found = await follower.audit.compare()
    assert (found.answers, found.copy_checksum, found.differing) == (2_468, found.book_checksum, ())
    assert found.epoch == follower.book.epoch


async def test_an_audit_names_what_the_copy_was_not_told(follower: Follower) -> None:
    for customer in ("jane", "otieno"):
        await asyncio.gather(follower.price(customer), follower.price(customer, "shop"))
    follower.book.record_secretly(SPECIFIC, 500_000, of="otieno")
    found = await follower.audit.compare()
    assert found.answers == 4
    assert found.copy_checksum != found.book_checksum
    assert found.differing == (("otieno", None), ("otieno", "shop"))


async def test_an_audit_does_not_name_what_changes_meanwhile(follower: Follower) -> None:
    await asyncio.gather(follower.price("jane"), follower.price("otieno"))
    row = follower.book.record_secretly(SPECIFIC, 500_000, of="jane")
    auditing = asyncio.ensure_future(follower.audit.compare())
    calls = follower.book.calls
    await follower.until(lambda: follower.book.calls > calls)
    follower.book.tell(row)
    found = await auditing
    assert (found.answers, found.copy_checksum, found.differing) == (1, found.book_checksum, ())


async def test_the_checksum_depends_on_the_answers_and_not_on_their_order(follower: Follower) -> None:
    sums = []
    for names in ("abc", "cab"):
        follower.copy.forget()
        for name in names:
            await follower.price(name)
        sums.append((await follower.audit.compare()).copy_checksum)
    await follower.price("d")
    sums.append((await follower.audit.compare()).copy_checksum)
    assert sums[0] == sums[1] != sums[2]


async def test_without_the_book_there_is_no_audit(follower: Follower) -> None:
    await follower.price()
    follower.book.failure = "DATABASE_UNAVAILABLE"
    with pytest.raises(ServiceError, match="could not be resolved"):
        await follower.audit.compare()
    await follower.stop_book()
    with pytest.raises(ServiceError, match="does not answer"):
        await follower.audit.compare()
