"""What rules of alerts see, look by look, and when what they warned of ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from messaging_service.accounts.domain.account import AccountChanges, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.domain.ledger import EntryKind, NewEntry
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.notices.domain.alert_conditions import BalanceLow, CarrierDown, SmsFailing, UnitsLow
from messaging_service.notices.domain.alert_readings import CarrierHealth
from messaging_service.notices.domain.alerts import AlertRule, QuietHours
from messaging_service.notices.domain.endpoints import EventType
from messaging_service.notices.postgres.postgres_alert_store import PostgresAlertStore
from service_kit.audit.actor import PLATFORM
from service_kit.postgres.database import Pool, create_pool
from tests.contract.sms_examples import ACCOUNT, acceptance, accepted, refused
from tests.integration.messaging.conftest import record, sent
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

DAY = timedelta(days=1)
LOW = AlertRule(BalanceLow(Decimal(100), Decimal(10)), enabled=True)
NOTHING: tuple[int, int] = (0, 0)


class Watched:
    """An account with its books, and looks at what it wants to be warned of."""

    def __init__(self, pool: Pool, url: str) -> None:
        self.accounts = PostgresAccountStore(pool)
        self.books = PostgresLedgerStore(pool)
        self.store = PostgresAlertStore(pool, uuid7, 0, give_up_after=DAY)
        self.url = url

    async def open(self, credit: int = 0) -> None:
        await self.accounts.open(ACCOUNT, AccountMode.PREPAID, Decimal(credit), AccountLimits(), actor=PLATFORM)

    async def terms(self, **terms: Any) -> None:
        await self.accounts.update(ACCOUNT, AccountChanges(**terms), actor=PLATFORM)

    async def add(self, kes: int) -> None:
        """To the balance."""
        entry = NewEntry(ACCOUNT, EntryKind.ADJUSTMENT, Decimal(kes), None, "a test", "amina")
        await self.books.book(entry, actor=PLATFORM)

    async def rules(self, *rules: AlertRule) -> None:
        await self.store.set_rules(ACCOUNT, rules)

    async def look(self, *carriers: CarrierHealth, prices: dict[str, Decimal] | None = None) -> tuple[int, int]:
        """How many alerts were raised and resolved."""
        evaluated = await self.store.evaluate(carriers, prices or {})
        assert evaluated is not None
        return sum(evaluated.raised.values()), sum(evaluated.resolved.values())

    async def webhook(self) -> UUID:
        """Somebody listens."""
        webhook = uuid7()
        await rows(
            self.url,
            "INSERT INTO webhook_endpoint (id, account_id, url, events, description, secret) "
            "VALUES (%s, %s, 'https://example.com/', %s, '', 'unused')",
            (webhook, ACCOUNT, [EventType.BALANCE_LOW.value]),
        )
        return webhook

    async def alerts(self) -> list[str]:
        """Alerts on record, the oldest first, by whether they are open."""
        found = await rows(
            self.url, "SELECT CASE WHEN resolved_at IS NULL THEN 'open' ELSE 'ended' END FROM alert ORDER BY raised_at"
        )
        return [word for (word,) in found]


@pytest.fixture
async def watched(database_url: str) -> AsyncIterator[Watched]:
    # No service: one would look at rules by itself.
    async with create_pool(database_url, "watched", timeout_s=20) as pool:
        yield Watched(pool, database_url)


@pytest.mark.parametrize("kind", ["postpaid", "suspended", "closed"])
async def test_an_account_without_a_balance_to_watch_ends_its_alert_and_the_next_crossing_is_a_new_one(
    watched: Watched, kind: str
) -> None:
    await watched.open()
    await watched.rules(LOW)
    await watched.add(50)
    assert await watched.look() == (1, 0)
    if kind == "postpaid":
        await watched.terms(mode=AccountMode.POSTPAID)
    elif kind == "suspended":
        await watched.terms(status=AccountStatus.SUSPENDED)
    else:
        await watched.add(-50)
        await watched.terms(status=AccountStatus.CLOSED)
    assert await watched.look() == (0, 1)
    assert await watched.look() == NOTHING
    if kind != "closed":
        await watched.add(200)
        await watched.add(-199)
        await watched.terms(mode=AccountMode.PREPAID, status=AccountStatus.ACTIVE)
        assert await watched.look() == (1, 0)
        assert await watched.alerts() == ["ended", "open"]


async def test_a_suspended_account_is_not_warned_of_its_balance(watched: Watched) -> None:
    await watched.open()
    await watched.rules(LOW)
    await watched.add(50)
    await watched.terms(status=AccountStatus.SUSPENDED)
    assert await watched.look() == NOTHING


async def test_an_alert_ends_when_nobody_listens_and_those_who_come_later_are_told_anew(watched: Watched) -> None:
    await watched.open()
    webhook = await watched.webhook()
    await watched.add(50)
    assert await watched.look() == (1, 0)
    await rows(watched.url, "UPDATE webhook_endpoint SET enabled = false WHERE id = %s", (webhook,))
    assert await watched.look() == (0, 1)
    await watched.add(500)
    assert await watched.look() == NOTHING
    await watched.add(-500)
    later = await watched.webhook()
    assert await watched.look() == (1, 0)
    deliveries = await rows(watched.url, "SELECT endpoint_id FROM webhook_delivery ORDER BY created_at")
    assert [endpoint for (endpoint,) in deliveries] == [webhook, later]


async def test_units_that_cost_nothing_end_the_alert_and_a_price_that_is_not_known_does_not(watched: Watched) -> None:
    await watched.open()
    await watched.rules(AlertRule(UnitsLow(100, 10), enabled=True))
    await watched.add(50)
    assert await watched.look() == NOTHING
    assert await watched.look(prices={ACCOUNT: Decimal("0.6")}) == (1, 0)
    assert await watched.look() == NOTHING
    assert await watched.look(prices={ACCOUNT: Decimal(0)}) == (0, 1)
    assert await watched.look(prices={ACCOUNT: Decimal("0.6")}) == (1, 0)


async def test_what_can_be_spent_counts_the_credit_limit_and_what_is_on_hold(watched: Watched, outbox: Replica) -> None:
    await watched.open(credit=100)
    await watched.rules(LOW)
    await watched.add(50)
    assert await watched.look() == NOTHING
    await watched.add(-50)
    # 100 can be spent; with a message on hold it is less.
    assert await watched.look() == NOTHING
    await record(outbox, acceptance())
    assert await watched.look() == (1, 0)
    assert await rows(watched.url, "SELECT value FROM alert") == [(Decimal("99.4"),)]


@pytest.mark.parametrize(("window", "raised"), [(timedelta(hours=1), 1), (timedelta(minutes=29), 0)])
async def test_failures_count_within_the_window_of_the_rule(
    watched: Watched, outbox: Replica, window: timedelta, raised: int
) -> None:
    await sent(outbox, refused())
    await sent(outbox, accepted())
    await rows(watched.url, "UPDATE message SET created_at = created_at - interval '30 minutes'")
    failing = AlertRule(SmsFailing(Decimal(50), Decimal(0), window, least_messages=2), enabled=True)
    await watched.rules(failing)
    assert await watched.look() == (raised, 0)


async def test_a_carrier_that_is_reported_no_more_is_forgotten_after_a_while(watched: Watched) -> None:
    down = AlertRule(CarrierDown(timedelta(0)), enabled=True)
    await watched.rules(down)
    ill = CarrierHealth("smpp", is_down=True, balance=None)
    assert await watched.look(ill) == (1, 0)
    # Replicas that start anew report nothing for a moment.
    assert await watched.look() == NOTHING
    assert await watched.look(ill) == NOTHING
    assert await watched.look() == NOTHING
    await rows(
        watched.url,
        """UPDATE event_reader SET position = jsonb_set(position, '{unread}', (
            SELECT jsonb_object_agg(key, to_jsonb(now() - interval '11 minutes'))
            FROM jsonb_each(position -> 'unread')
        )) WHERE name = 'alerts'""",
    )
    assert await watched.look() == (0, 1)
    assert await watched.look(ill) == (1, 0)


async def test_of_all_processes_together_one_looks_in_each_interval(watched: Watched, database_url: str) -> None:
    await watched.rules(LOW)
    async with create_pool(database_url, "slow", timeout_s=20) as pool:
        first, second = (PostgresAlertStore(pool, uuid7, 3_600, give_up_after=DAY) for _ in range(2))
        moved = "SELECT moved_at FROM event_reader WHERE name = 'alerts'"
        assert await first.evaluate((), {}) is not None
        at = await rows(database_url, moved)
        for store in (second, first):
            assert await store.evaluate((), {}) is None
        assert await rows(database_url, moved) == at
        await rows(database_url, "UPDATE event_reader SET moved_at = moved_at - interval '1 hour'")
        assert await second.evaluate((), {}) is not None


async def test_in_quiet_hours_an_alert_is_posted_at_the_very_end_of_them(watched: Watched) -> None:
    now = datetime.now(UTC)
    minute = (now.hour * 60 + now.minute + 180) % 1_440
    quiet = QuietHours((minute - 60) % 1_440, (minute + 120) % 1_440)
    await watched.open()
    await watched.webhook()
    await watched.rules(AlertRule(LOW.condition, enabled=True, quiet=quiet))
    await watched.add(50)
    assert await watched.look() == (1, 0)
    (posting,) = await rows(watched.url, "SELECT next_try_at, give_up_at FROM webhook_delivery")
    end = now.replace(second=0, microsecond=0) + timedelta(minutes=120)
    assert posting == (end, end + DAY)
