"""A day of one-time codes against PostgreSQL, by the counts that acceptance keeps, with the clock of the day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from messaging_service.abuse.domain.block_counts import BlockCounts, Tally
from messaging_service.abuse.domain.recipient_windows import OTPS
from messaging_service.abuse.postgres.block_hours import BlockHours
from messaging_service.abuse.postgres.send_guards import Counting, SendGuards
from messaging_service.accounts.domain.account import Account, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits, AccountUsage, PumpingGuard
from service_kit.errors import ServiceError
from service_kit.postgres.database import Pool, create_pool, transaction
from tests.doubles.duty_log import StrictDuties
from tests.system.effort import effort
from tests.system.messaging_database import rows
from tests.system.synthetic_day import BEGIN, CODES, HOUR, Code, attack, by_minute, day

pytestmark = pytest.mark.timeout(600)

DAY = effort(3_000, CODES)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
APP = Account(
    "app",
    AccountMode.POSTPAID,
    AccountStatus.ACTIVE,
    Decimal(0),
    Decimal(0),
    Decimal(0),
    EPOCH,
    limits=AccountLimits(pumping=PumpingGuard.BLOCK),
)


async def send(pool: Pool, blocks: BlockCounts, codes: Sequence[Code]) -> list[str]:
    """Decides on codes in one transaction at the instant of the first; why those were refused that were."""
    tally: Tally = {}
    now = EPOCH + timedelta(microseconds=codes[0].at_us)
    guards = SendGuards({"app": replace(APP, usage=AccountUsage(Decimal(0), 0, now))}, Counting(OTPS, tally))
    planned = [guards.plan("app", code.phone, ("otp",)) for code in codes]
    refused: list[str] = []
    async with transaction(pool) as connection:
        await guards.read(connection)
        for guarded in planned:
            assert guarded is not None
            try:
                guards.check(guarded)
            except ServiceError as error:
                refused.append(error.reason)
            else:
                guards.count(guarded)
        if counts := guards.kept():
            await connection.trip(*counts)
    # On record they are of the present, as what is usual is by the clock of the database.
    hour = int(datetime.now(UTC).timestamp()) // 3_600
    for which, noted in tally.items():
        blocks.add(which._replace(hour=hour), noted)
    return refused


async def test_a_usual_day_passes_and_a_pumped_block_does_not(database_url: str) -> None:
    async with create_pool(database_url, "day") as pool:
        refused: Counter[str] = Counter()
        blocks = BlockCounts()
        hours = BlockHours(pool, blocks, StrictDuties())
        for codes in by_minute(day(3, DAY)):
            refused.update(await send(pool, blocks, codes))
            await hours.write()
        assert refused == Counter()
        pumped = attack("+254799123", BEGIN + 25 * HOUR)
        for codes in by_minute(pumped):
            refused.update(await send(pool, blocks, codes))
        assert refused == Counter({"PUMPING_SUSPECTED": 993})
    assert await rows(database_url, "SELECT block FROM number_block WHERE suspected_at IS NOT NULL") == [
        ("+254799123",)
    ]
