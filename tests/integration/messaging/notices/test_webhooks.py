"""Webhooks from a send to a receiver on a real port, over gRPC and with a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from google.protobuf.duration_pb2 import Duration
from uuid_utils.compat import uuid7

from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.notices.domain.endpoints import EndpointKind, EventType
from messaging_service.notices.endpoint_families import WEBHOOKS
from messaging_service.notices.endpoint_store import NewEndpoint
from messaging_service.notices.postgres.fan_out import PostgresFanOut
from messaging_service.notices.postgres.postgres_endpoint_store import PostgresEndpointStore
from service_kit.audit.actor import PLATFORM
from service_kit.errors import ServiceError
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import RECIPIENT, accepted, refused
from tests.doubles.webhook_receiver import answer
from tests.integration.messaging.conftest import receipt, sent
from tests.integration.messaging.notices.webhooks_at_work import (
    MAKE_DUE,
    both,
    deliveries,
    made,
    until_ended,
    webhooks,
)
from tests.integration.messaging.running_service import refusal_of
from tests.system.messaging_database import rows, until_found
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

pytestmark = pytest.mark.timeout(60)


async def test_what_becomes_of_a_message_is_posted_in_order_signed_and_without_its_text(database_url: str) -> None:
    async with both(database_url) as (service, system):
        created = await made(service, system.url)
        entry = (await service.send(message_id="msg1")).entry
        await system.until(1)
        await service.sinks[0].receipts([receipt(await carrier_id(database_url), ReceiptState.DELIVERED)])
        sent, delivered = await system.until(2)
        assert (sent.event["type"], delivered.event["type"]) == ("sms.sent", "sms.delivered")
        assert sent.event == {
            "specversion": "1.0",
            "id": sent.headers["webhook-id"],
            "source": "/tukupay/sms/accounts/user123",
            "type": "sms.sent",
            "subject": entry.outbox_id,
            "time": sent.event["time"],
            "datacontenttype": "application/json",
            "dataschema": "urn:tukupay:sms:sms.sent:1",
            "data": {
                "outboxId": entry.outbox_id,
                "messageId": "msg1",
                "userId": "user123",
                "status": "sent",
                "deliveryState": "accepted",
                "attempt": 1,
                "carrier": sent.event["data"]["carrier"],
                "errorCode": None,
                "errorDetails": None,
            },
        }
        assert sent.headers["content-type"] == "application/cloudevents+json"
        assert sent.headers["host"] == f"127.0.0.1:{system.port}"
        assert sent.is_signed_with(created.secret)
        for one in (sent, delivered):
            assert "123456" not in one.body
            assert RECIPIENT not in one.body
        log = await until_ended(service, created.webhook.webhook_id, 2)
        assert [(one.state, one.tries, one.last_status) for one in log] == [
            (pb.WEBHOOK_DELIVERY_STATE_DELIVERED, 1, 204)
        ] * 2
        assert [one.event for one in log] == [pb.WEBHOOK_EVENT_SMS_DELIVERED, pb.WEBHOOK_EVENT_SMS_SENT]


async def carrier_id(url: str) -> str:
    ((found,),) = await rows(url, "SELECT carrier_message_id FROM message_part")
    return str(found)


async def test_an_endpoint_gets_only_what_it_asks_for_of_its_own_account(database_url: str) -> None:
    async with both(database_url) as (service, system):
        await made(service, system.url, events=[pb.WEBHOOK_EVENT_SMS_FAILED])
        await service.send(user_id="other")
        await service.send()
        service.carrier.answer = lambda _: refused("INVALID_RECIPIENT")
        entry = (await service.send()).entry
        (failed,) = await system.until(1)
        data = failed.event["data"]
        assert (failed.event["type"], data["outboxId"], data["status"]) == ("sms.failed", entry.outbox_id, "failed")
        assert (data["errorCode"], data["errorDetails"]) == ("INVALID_RECIPIENT", entry.error_details)
        assert await rows(database_url, "SELECT count(*) FROM webhook_delivery") == [(1,)]


async def test_both_secrets_sign_while_a_rotation_overlaps_and_one_does_without(database_url: str) -> None:
    async with both(database_url) as (service, system):
        created = await made(service, system.url)
        webhook_id = created.webhook.webhook_id
        rotated = await webhooks(service).RotateWebhookSecret(pb.RotateWebhookSecretRequest(webhook_id=webhook_id))
        assert rotated.secret not in ("", created.secret)
        assert rotated.webhook.HasField("previous_secret_until_time")
        await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        (first,) = await system.until(1)
        assert first.is_signed_with(created.secret)
        assert first.is_signed_with(rotated.secret)
        last = await webhooks(service).RotateWebhookSecret(
            pb.RotateWebhookSecretRequest(webhook_id=webhook_id, overlap=Duration(seconds=0))
        )
        await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        second = (await system.until(2))[1]
        assert second.event["type"] == "webhook.test"
        assert second.is_signed_with(last.secret)
        assert len(second.headers["webhook-signature"].split()) == 1
        for secret in await rows(database_url, "SELECT secret, previous_secret FROM webhook_endpoint"):
            assert secret == (last.secret, rotated.secret)


async def test_what_is_not_taken_is_tried_again_in_order_under_the_same_id(database_url: str) -> None:
    async with both(database_url) as (service, system):
        system.reply = lambda one: answer(500 if len(system.received) == 1 else 200)
        created = await made(service, system.url)
        await service.send()
        await system.until(1)
        async with asyncio.timeout(20):
            await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE failures = 1 AND owner IS NULL")
        await service.send()
        await until_found(database_url, "SELECT 1 FROM webhook_delivery HAVING count(*) = 2")
        waiting = (await deliveries(service, created.webhook.webhook_id))[1]
        assert (waiting.last_status, waiting.last_error) == (500, "ANSWERED_WITH_ERROR")
        assert waiting.next_try_time.ToDatetime() > waiting.last_try_time.ToDatetime() + timedelta(seconds=4)
        await rows(database_url, MAKE_DUE)
        first, again, other = await system.until(3)
        assert first.headers["webhook-id"] == again.headers["webhook-id"] != other.headers["webhook-id"]
        assert first.body == again.body
        assert again.is_signed_with(created.secret)


async def test_a_delivery_that_was_tried_for_a_day_fails_and_can_be_replayed(database_url: str) -> None:
    async with both(database_url) as (service, system):
        system.reply = lambda _: answer(503)
        created = await made(service, system.url)
        webhook_id = created.webhook.webhook_id
        await service.send()
        await system.until(1)
        await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE failures = 1 AND owner IS NULL")
        await rows(database_url, "UPDATE webhook_delivery SET give_up_at = now() + interval '3 s'")
        await rows(database_url, MAKE_DUE)
        (failed,) = await until_ended(service, webhook_id, 1)
        assert (failed.state, failed.tries) == (pb.WEBHOOK_DELIVERY_STATE_FAILED, 2)
        system.reply = lambda _: answer(200)
        replay = pb.ReplayWebhookDeliveriesRequest(webhook_id=webhook_id, delivery_id=failed.delivery_id)
        assert (await webhooks(service).ReplayWebhookDeliveries(replay)).replayed == 1
        await system.until(3)
        (taken,) = await until_ended(service, webhook_id, 1)
        assert (taken.state, taken.replays) == (pb.WEBHOOK_DELIVERY_STATE_DELIVERED, 1)
        period = pb.ReplayWebhookDeliveriesRequest(webhook_id=webhook_id)
        period.period_start.FromDatetime(failed.created_time.ToDatetime() - timedelta(hours=1))
        period.period_end.FromDatetime(failed.created_time.ToDatetime() + timedelta(hours=1))
        assert (await webhooks(service).ReplayWebhookDeliveries(period)).replayed == 0
        period.include_delivered = True
        assert (await webhooks(service).ReplayWebhookDeliveries(period)).replayed == 1
        assert len({one.headers["webhook-id"] for one in await system.until(4)}) == 1


async def test_a_deleted_endpoint_gets_nothing_more_and_its_secrets_are_gone(database_url: str) -> None:
    async with both(database_url) as (service, system):
        created = await made(service, system.url)
        webhook_id = created.webhook.webhook_id
        system.reply = lambda _: answer(500)
        await service.send()
        await system.until(1)
        # So that there is a previous secret to lose.
        await webhooks(service).RotateWebhookSecret(pb.RotateWebhookSecretRequest(webhook_id=webhook_id))
        held = await rows(database_url, "SELECT count(secret), count(previous_secret) FROM webhook_endpoint")
        assert held == [(1, 1)]
        await webhooks(service).DeleteWebhook(pb.DeleteWebhookRequest(webhook_id=webhook_id))
        await service.send()
        error = await refusal_of(webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id)))
        assert error.reason == "WEBHOOK_NOT_FOUND"
        assert await rows(database_url, "SELECT secret, previous_secret FROM webhook_endpoint") == [(None, None)]
        left = await rows(database_url, "SELECT state, last_error FROM webhook_delivery")
        assert left == [("failed", "WEBHOOK_DELETED")]
        listed = await webhooks(service).ListWebhooks(pb.ListWebhooksRequest(user_id="user123"))
        assert not listed.webhooks


async def test_what_is_wrong_with_an_endpoint_is_named_field_by_field(database_url: str) -> None:
    async with both(database_url, webhook_allow_http=False) as (service, system):
        wrong = pb.CreateWebhookRequest(user_id=" ", url=system.url, events=[], description="x" * 201)
        error = await refusal_of(webhooks(service).CreateWebhook(wrong))
        assert [one.field for one in error.violations] == ["user_id", "url", "events", "description"]
        private = pb.CreateWebhookRequest(
            user_id="user123", url="https://10.0.0.1/", events=[pb.WEBHOOK_EVENT_SMS_SENT]
        )
        error = await refusal_of(webhooks(service).CreateWebhook(private))
        assert [(one.field, one.reason) for one in error.violations] == [("url", "INVALID_URL")]
        assert "public" in error.violations[0].description
        for webhook_id in ("webhook_" + "0" * 32, "nonsense"):
            error = await refusal_of(webhooks(service).GetWebhook(pb.GetWebhookRequest(webhook_id=webhook_id)))
            assert error.reason == "WEBHOOK_NOT_FOUND"


def new_endpoint(account_id: str = "user123") -> NewEndpoint:
    wanted = (EventType.SMS_SENT, EventType.SMS_DELIVERED)
    return NewEndpoint(uuid7(), account_id, EndpointKind.WEBHOOK, "https://127.0.0.1/", wanted, "", "secret")


async def test_of_many_endpoints_made_at_once_an_account_gets_as_many_as_it_may_have(database_url: str) -> None:
    at_once = 10
    async with create_pool(database_url, "making", min_size=at_once, max_size=at_once, timeout_s=20) as pool:
        await pool.wait()
        endpoints = PostgresEndpointStore(pool, uuid7, WEBHOOKS, most=3, give_up_after=timedelta(days=1))
        for account in ("one", "two", "three"):
            asked = (endpoints.create(new_endpoint(account), actor=PLATFORM) for _ in range(at_once))
            answers = await asyncio.gather(*asked, return_exceptions=True)
            reasons = [one.reason for one in answers if isinstance(one, ServiceError)]
            assert reasons == ["TOO_MANY_WEBHOOKS"] * (at_once - 3)
            assert len(await endpoints.of_account(account)) == 3


def answering(status: int, _received: object) -> bytes:
    return answer(status)


async def test_deliveries_that_still_wait_are_kept_however_old_they_are(database_url: str) -> None:
    async with both(database_url) as (service, system):
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        for reply in (204, 410, 500):
            system.reply = partial(answering, reply)
            before = len(system.received)
            await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
            await system.until(before + 1)
            await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE owner IS NULL")
            enabled = pb.UpdateWebhookRequest(webhook_id=webhook_id, enabled=True)
            await webhooks(service).UpdateWebhook(enabled)
    states = "SELECT state FROM webhook_delivery ORDER BY state"
    assert await rows(database_url, states) == [("delivered",), ("failed",), ("pending",)]
    await rows(database_url, "UPDATE webhook_delivery SET created_at = now() - interval '90 days'")
    async with create_pool(database_url, "fan_out", timeout_s=20) as pool:
        events = PostgresFanOut(pool, uuid7, give_up_after=timedelta(days=1))
        assert await events.forget(86_400.0, 100) == 2
    assert await rows(database_url, states) == [("pending",)]


async def test_an_endpoint_is_told_nothing_of_what_happened_before_it_was_made(
    database_url: str, outbox: Replica
) -> None:
    async with create_pool(database_url, "fan_out", timeout_s=20) as pool:
        endpoints = PostgresEndpointStore(pool, uuid7, WEBHOOKS, most=5, give_up_after=timedelta(days=1))
        events = PostgresFanOut(pool, uuid7, give_up_after=timedelta(days=1))
        first = await endpoints.create(new_endpoint(), actor=PLATFORM)
        await sent(outbox, accepted("before"))
        second = await endpoints.create(new_endpoint(), actor=PLATFORM)
        await sent(outbox, accepted("after"))
        while (await events.fan_out(100)).more:
            pass
    recorded = "SELECT endpoint_id, count(*)::int FROM webhook_delivery GROUP BY 1"
    assert dict(await rows(database_url, recorded)) == {first.id: 2, second.id: 1}


async def test_an_account_keeps_the_endpoints_it_has_when_it_may_have_fewer_and_adds_none(database_url: str) -> None:
    another = pb.CreateWebhookRequest(user_id="user123", url="https://127.0.0.1/", events=[pb.WEBHOOK_EVENT_SMS_SENT])
    async with both(database_url, webhook_max_per_account=3) as (service, _):
        for _ in range(3):
            await made(service, "https://127.0.0.1/hooks")
        error = await refusal_of(webhooks(service).CreateWebhook(another))
        assert error.reason == "TOO_MANY_WEBHOOKS"
        assert "may have 3 webhooks" in str(error)
    async with both(database_url, webhook_max_per_account=2) as (service, _):
        assert (await refusal_of(webhooks(service).CreateWebhook(another))).reason == "TOO_MANY_WEBHOOKS"
        held = (await webhooks(service).ListWebhooks(pb.ListWebhooksRequest(user_id="user123"))).webhooks
        assert len(held) == 3


async def test_a_delivery_keeps_the_end_it_was_given_and_a_replay_gets_that_of_now(database_url: str) -> None:
    soon = "SELECT give_up_at < created_at + interval '1 hour' FROM webhook_delivery ORDER BY position"
    async with both(database_url) as (service, system):
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        test = pb.TestWebhookRequest(webhook_id=webhook_id)
        kept = (await webhooks(service).TestWebhook(test)).delivery
    async with both(database_url, webhook_give_up_after_s=600.0) as (service, _):
        await webhooks(service).TestWebhook(test)
        assert await rows(database_url, soon) == [(False,), (True,)]
        replay = pb.ReplayWebhookDeliveriesRequest(webhook_id=webhook_id, delivery_id=kept.delivery_id)
        await webhooks(service).ReplayWebhookDeliveries(replay)
        assert await rows(database_url, soon) == [(True,), (True,)]


async def test_deliveries_come_by_pages_bound_to_their_filters(database_url: str) -> None:
    async with both(database_url) as (service, system):
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        tests = [
            (await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))).delivery.delivery_id
            for _ in range(5)
        ]
        seen: list[str] = []
        token = ""
        while True:
            request = pb.ListWebhookDeliveriesRequest(webhook_id=webhook_id, page_size=2, page_token=token)
            page = await webhooks(service).ListWebhookDeliveries(request)
            seen += [one.delivery_id for one in page.deliveries]
            if not (token := page.next_page_token):
                break
            other = pb.ListWebhookDeliveriesRequest(
                webhook_id=webhook_id, event=pb.WEBHOOK_EVENT_SMS_SENT, page_token=token
            )
            error = await refusal_of(webhooks(service).ListWebhookDeliveries(other))
            assert error.violations[0].field == "page_token"
        assert seen == tests[::-1]
        assert await deliveries(service, webhook_id, event=pb.WEBHOOK_EVENT_SMS_SENT) == []
