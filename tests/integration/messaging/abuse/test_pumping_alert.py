"""The alert of pumped numbers: raised when a block looks pumped, with its conversion, and resolved afterwards."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from messaging_service.abuse.domain.conversion import FeedbackOutcome
from messaging_service.abuse.postgres.postgres_feedback import PostgresFeedback
from messaging_service.notices.domain.alert_conditions import SmsPumping
from messaging_service.notices.domain.alerts import AlertRule
from messaging_service.notices.domain.endpoints import EventType
from messaging_service.notices.postgres.postgres_alert_store import PostgresAlertStore
from service_kit.access.principal import AccessMode
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import ACCOUNT, acceptance
from tests.integration.messaging.conftest import record
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

RULE = AlertRule(SmsPumping(), enabled=True)


async def test_an_account_is_warned_once_of_numbers_that_look_pumped_and_what_came_of_them(
    outbox: Replica, database_url: str
) -> None:
    async with create_pool(database_url, "watched") as pool:
        store = PostgresAlertStore(pool, uuid7, 0, give_up_after=timedelta(days=1))

        async def look() -> tuple[int, int]:
            evaluated = await store.evaluate([], {})
            assert evaluated is not None
            return sum(evaluated.raised.values()), sum(evaluated.resolved.values())

        await store.set_rules(ACCOUNT, [RULE])
        await rows(
            database_url,
            "INSERT INTO webhook_endpoint (id, account_id, url, events, description, secret) "
            "VALUES (%s, %s, 'https://example.com/', %s, '', 'unused')",
            (uuid7(), ACCOUNT, [EventType.SMS_PUMPING.value]),
        )
        codes: dict[str, Any] = {"tags": ("otp",)}
        messages = [
            await record(outbox, acceptance(recipient_phone_number=f"+2547123450{place:02}", **codes))
            for place in range(0, 18, 2)
        ]
        assert await look() == (0, 0)
        messages.append(await record(outbox, acceptance(recipient_phone_number="+254712345999", **codes)))
        feedback = PostgresFeedback(pool, outbox.hours)
        await feedback.record(messages[0].id, FeedbackOutcome.VERIFIED, None, AccessMode.LIVE)
        for message in messages[1:4]:
            await feedback.record(message.id, FeedbackOutcome.NOT_VERIFIED, None, AccessMode.LIVE)
        assert await look() == (1, 0)
        assert await look() == (0, 0)
        # Webhooks get it, with how the block looks.
        ((body,),) = await rows(database_url, "SELECT body FROM webhook_delivery WHERE event_type = 'sms.pumping'")
        assert '"block": "+254712345"' in str(body).replace('":"', '": "').replace("'", '"')
        (alert,) = await store.alerts(ACCOUNT, 10, None, only_open=True)
        assert (alert.value, alert.threshold, alert.subject) == (Decimal(1), Decimal(1), ACCOUNT)
        await rows(database_url, "UPDATE number_block SET suspected_at = suspected_at - interval '11 minutes'")
        assert await look() == (0, 1)
