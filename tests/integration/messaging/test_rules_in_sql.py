"""Rules that SQL decides, because it must do so in one statement, hold as the domain has them: tables of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from uuid import uuid4

import pytest

from messaging_service.accounts.domain.account import Account, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountUsage
from messaging_service.accounts.postgres.account_rows import ACCOUNT, HOLD_MORE
from messaging_service.opt_outs.domain.suppression import Scope, Source
from messaging_service.opt_outs.postgres.opt_out_rows import COVERED
from messaging_service.opt_outs.postgres.postgres_suppressions import PostgresSuppressions
from messaging_service.opt_outs.suppression_store import NewSuppression
from messaging_service.sending.domain.settling import LEAVES_QUEUE, SETTLEMENT_OF
from messaging_service.sending.outbox import Accepted
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox
from messaging_service.shared.domain.states import State
from service_kit.audit.actor import PLATFORM
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import ACCOUNT as PAYER
from tests.contract.sms_examples import RECIPIENT, acceptance
from tests.system.messaging_database import rows

ANOTHER_PHONE = "+254798765432"
SENDERS = ("TUKUPAY", "tukupay", "22141", "+254711222333")
ENTRIES = [(ANOTHER_PHONE, None, None), *product((RECIPIENT,), (None, *SENDERS), (None, PAYER, "another"))]

MIDNIGHT = datetime(2026, 6, 1, 21, tzinfo=UTC)
"""In Nairobi."""
STEP = timedelta(seconds=1)
INSTANTS = [
    MIDNIGHT - timedelta(days=1),
    MIDNIGHT - timedelta(minutes=1),
    MIDNIGHT - STEP,
    MIDNIGHT,
    MIDNIGHT + STEP,
    MIDNIGHT + timedelta(hours=3),
]


@pytest.mark.parametrize(("phone", "sender_id", "account_id"), ENTRIES)
async def test_an_opt_out_stops_the_same_messages_in_every_statement(
    database_url: str, outbox: PostgresOutbox, phone: str, sender_id: str | None, account_id: str | None
) -> None:
    scope = Scope(phone, sender_id, account_id)
    async with create_pool(database_url, "rules") as pool:
        suppressions = PostgresSuppressions(pool, "here")
        await suppressions.add(NewSuppression(uuid4(), scope, Source.OPERATOR, "asked", "ops"), actor=PLATFORM)
        listed = [bool(await suppressions.covering(RECIPIENT, sender, PAYER)) for sender in SENDERS]
    accepted = await outbox.accept([acceptance(sender_id=sender) for sender in SENDERS])
    queued = [
        await rows(
            database_url,
            f"SELECT 1 FROM suppression s, (SELECT %(recipient)s::text AS recipient, %(sender)s::text AS sender_id, "
            f"%(account)s::text AS account_id, '{{}}'::text[] AS tags) m WHERE {COVERED}",
            {"recipient": RECIPIENT, "sender": sender, "account": PAYER, "exempt": []},
        )
        for sender in SENDERS
    ]
    covered = [scope.covers(RECIPIENT, sender, PAYER) for sender in SENDERS]
    assert listed == covered
    assert [not isinstance(answer, Accepted) for answer in accepted] == covered
    assert [bool(found) for found in queued] == covered


@pytest.mark.parametrize(("before", "now"), [pair for pair in product(INSTANTS, INSTANTS) if pair[0] <= pair[1]])
async def test_days_and_minutes_begin_at_the_same_instant(database_url: str, before: datetime, now: datetime) -> None:
    await rows(database_url, "INSERT INTO account (id) VALUES ('user123')")

    def at(instant: datetime, sql: str) -> str:
        return sql.replace("now()", f"timestamptz '{instant.isoformat()}'")

    for instant, amount in ((before, 7), (now, 3)):
        hold = f"UPDATE account a SET {at(instant, HOLD_MORE)} FROM (SELECT {amount}::numeric total, 1 messages) s"
        await rows(database_url, hold)
    (row,) = await rows(database_url, f"SELECT {at(now, ACCOUNT.sql)} FROM account")
    zero = Decimal(0)
    account = Account("user123", AccountMode.POSTPAID, AccountStatus.ACTIVE, zero, zero, zero, before)
    for instant, amount in ((before, 7), (now, 3)):
        usage = account.usage.at(instant)
        account = replace(account, usage=usage).hold(Decimal(amount))
    assert ACCOUNT.read(row).usage == AccountUsage(account.usage.spent_today, account.usage.sent_this_minute, now)


def test_every_settlement_leaves_the_queue_or_stays_in_it() -> None:
    states = {state for state, _ in SETTLEMENT_OF.values()}
    assert states - set(LEAVES_QUEUE) == {State.READY, State.UNKNOWN}
    assert set(LEAVES_QUEUE) <= states
