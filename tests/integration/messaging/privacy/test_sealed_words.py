"""Carriers' words, secrets and bodies of before are sealed, and those that are used work as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from messaging_service.privacy.convert_rows import Conversion
from messaging_service.privacy.postgres.word_conversions import (
    BodyConversion,
    EventConversion,
    ReceiptConversion,
    SecretConversion,
)
from service_kit.postgres.database import Pool
from tests.contract.sms_examples import accepted
from tests.doubles.webhook_receiver import receiver
from tests.integration.messaging.conftest import MakeOutbox, receipt, sent
from tests.integration.messaging.notices.webhooks_at_work import OPEN, both, made, until_ended, webhooks
from tests.integration.messaging.privacy.conftest import ring
from tests.integration.messaging.running_service import service_on
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

pytestmark = pytest.mark.timeout(60)


async def all_of(conversion: Conversion) -> int:
    """Runs a conversion to its end; how many rows it sealed."""
    sealed = 0
    while not (done := await conversion.step(2)).caught_up or done.more:
        sealed += done.rows
    return sealed + done.rows


async def test_words_of_carriers_are_sealed_where_they_stand(
    make_outbox: MakeOutbox, pool: Pool, keys: Path, database_url: str
) -> None:
    outbox = await make_outbox("before")
    for n in range(3):
        await sent(outbox, accepted(f"C{n}"))
    await outbox.receipts.store([receipt(f"C{n}") for n in range(3)])
    await outbox.receipts.work(10)
    assert await all_of(EventConversion(pool, ring(pool, keys))) == 6
    assert await all_of(ReceiptConversion(pool, ring(pool, keys))) == 3
    plain = "SELECT count(*) FROM {} WHERE raw IS NOT NULL AND raw NOT LIKE 'sealed:1:%%'"
    assert await rows(database_url, plain.format("message_event")) == [(0,)]
    assert await rows(database_url, plain.format("receipt")) == [(0,)]
    assert await all_of(EventConversion(pool, ring(pool, keys))) == 0


async def test_secrets_and_bodies_of_before_go_on_signing_and_being_posted(
    pool: Pool, keys: Path, database_url: str
) -> None:
    async with both(database_url) as (before, system):
        created = await made(before, system.url)
        rotated = await webhooks(before).RotateWebhookSecret(
            pb.RotateWebhookSecretRequest(webhook_id=created.webhook.webhook_id)
        )
        await before.send()
        await until_ended(before, created.webhook.webhook_id, 1)
    assert await all_of(SecretConversion(pool, ring(pool, keys))) == 2
    assert await all_of(BodyConversion(pool, ring(pool, keys))) == 1
    stored = await rows(database_url, "SELECT secret, previous_secret FROM webhook_endpoint")
    assert all(str(secret).startswith("sealed:1:") for secret in stored[0])
    async with receiver() as other, service_on(database_url, kek_file=keys, **OPEN) as now:
        await webhooks(now).UpdateWebhook(pb.UpdateWebhookRequest(webhook_id=created.webhook.webhook_id, url=other.url))
        await now.send()
        (first,) = await other.until(1)
        assert first.is_signed_with(rotated.secret)
        assert first.is_signed_with(created.secret)
        await webhooks(now).ReplayWebhookDeliveries(
            pb.ReplayWebhookDeliveriesRequest(
                webhook_id=created.webhook.webhook_id, delivery_id=await oldest_delivery(database_url)
            )
        )
        _, again = await other.until(2)
        assert again.event["type"] == "sms.sent"
        assert again.event["id"] != first.event["id"]


async def oldest_delivery(url: str) -> str:
    ((found,),) = await rows(url, "SELECT id FROM webhook_delivery ORDER BY position LIMIT 1")
    return f"delivery_{found.hex}"
