"""Outboxes on a real database, and what tests do with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from messaging_service.carriers.domain.submission import DeliveryReceipt, Outcome, ReceiptState
from messaging_service.sending.outbox import Acceptance, Accepted, Claim, Settled
from messaging_service.sending.postgres.postgres_outbox import Windows
from messaging_service.shared.domain.message import Message
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.database import create_pool
from tests.conftest import DatabaseTemplate
from tests.contract.sms_examples import RECIPIENT, acceptance, settlement
from tests.integration.messaging.metered_service import Metered, metered_on
from tests.integration.messaging.running_service import Running, service_on
from tests.system.messaging_database import empty_database, rows
from tests.system.messaging_replica import Replica

WINDOWS = Windows(lease_s=30.0, margin_s=5.0, unknown_s=3_600.0, queue_s=600.0)

MakeOutbox = Callable[[str], Awaitable[Replica]]


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate) -> str:
    """A migrated database without a row."""
    return empty_database(postgres_server, database_template)


@pytest.fixture
async def make_outbox(database_url: str) -> AsyncIterator[MakeOutbox]:
    """Instances of the service, as far as the database sees them."""
    async with AsyncExitStack() as closing:

        async def make(owner: str) -> Replica:
            pool = await closing.enter_async_context(create_pool(database_url, owner, max_size=8, timeout_s=20))
            return Replica(pool, owner, WINDOWS)

        yield make


@pytest.fixture
async def outbox(make_outbox: MakeOutbox) -> Replica:
    return await make_outbox("here")


async def record(outbox: Replica, item: Acceptance) -> Message:
    """Accepts one message."""
    (answer,) = await outbox.accept([item])
    assert isinstance(answer, Accepted), answer
    return answer.message


async def settle(outbox: Replica, claim: Claim, outcome: Outcome) -> Message:
    """Records the outcome of a claim that is still good."""
    (settled,) = await outbox.settle([settlement(claim, outcome)])
    assert isinstance(settled, Settled)
    assert settled.applied
    return settled.message


async def sent(outbox: Replica, outcome: Outcome, **changes: Any) -> Message:
    """A message that came to an outcome."""
    message = await record(outbox, acceptance(claimed=True, **changes))
    return await settle(outbox, Claim(message, 1, 0, 0.0), outcome)


async def stored(outbox: Replica, message_id: UUID) -> Message:
    """A message as it stands."""
    message = await outbox.get(message_id, None)
    assert message is not None
    return message


async def money(outbox: Replica, account_id: str = "user123") -> tuple[Decimal | int, Decimal | int]:
    """Posted and held."""
    account = await outbox.accounts.account(account_id)
    assert account is not None
    return account.posted, account.held


def receipt(
    carrier_message_id: str,
    state: ReceiptState = ReceiptState.DELIVERED,
    *,
    carrier: str = "smpp",
    recipient: str | None = RECIPIENT,
    sender_id: str | None = "TUKUPAY",
) -> DeliveryReceipt:
    """What a carrier reports."""
    return DeliveryReceipt(carrier, carrier_message_id, state, recipient, sender_id, None, None, "id:… stat:…")


async def transitions(url: str, message_id: UUID) -> list[tuple[int, str | None, str]]:
    """Attempt, from and to of every event of a message."""
    found = await rows(
        url,
        "SELECT attempt, from_state, to_state FROM message_event WHERE message_id = %s ORDER BY id",
        (message_id,),
    )
    return [(row[0], row[1], row[2]) for row in found]


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Running]:
    """A running service on an empty database."""
    async with service_on(database_url) as running:
        yield running


@pytest.fixture
async def metered(database_url: str) -> AsyncIterator[Metered]:
    """A running service on an empty database, and what it exports."""
    async with metered_on(database_url) as made:
        yield made
