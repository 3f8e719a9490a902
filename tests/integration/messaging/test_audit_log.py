"""What callers change by hand stands in the audit log, in the transaction of the change, with who asked for it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from grpc import aio

from service_kit.access import origins
from tests.contract.sms_examples import accepted
from tests.integration.messaging.running_service import Running
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    carriers_pb2,
    carriers_pb2_grpc,
    suppressions_pb2,
    suppressions_pb2_grpc,
    webhooks_pb2,
    webhooks_pb2_grpc,
)

pytestmark = pytest.mark.timeout(60)
METADATA = (("x-request-id", "request-7"), (origins.METADATA_KEY, "192.0.2.7"))
POSTPAID = accounts_pb2.ACCOUNT_MODE_POSTPAID


async def entries(url: str) -> list[dict[str, Any]]:
    names = ("action", "subject", "account", "principal", "principal_kind", "origin", "request_id", "before", "after")
    found = await rows(url, f"SELECT {', '.join(names)} FROM audit_entry ORDER BY id")
    return [dict(zip(names, row, strict=True)) for row in found]


async def opened(service: Running) -> accounts_pb2_grpc.AccountServiceAsyncStub:
    accounts: accounts_pb2_grpc.AccountServiceAsyncStub = accounts_pb2_grpc.AccountServiceStub(service.channel)
    await accounts.OpenAccount(accounts_pb2.OpenAccountRequest(user_id="user123", mode=POSTPAID), metadata=METADATA)
    return accounts


async def test_accounts_and_money_by_hand(service: Running, database_url: str) -> None:
    accounts = await opened(service)
    await accounts.OpenAccount(accounts_pb2.OpenAccountRequest(user_id="user123", mode=POSTPAID))
    await accounts.UpdateAccount(
        accounts_pb2.UpdateAccountRequest(user_id="user123", status=accounts_pb2.ACCOUNT_STATUS_SUSPENDED),
        metadata=METADATA,
    )
    for _ in range(2):
        await accounts.TopUp(
            accounts_pb2.TopUpRequest(
                user_id="user123", amount_micros=2_500_000, reference="QGH7", booked_by="+254712345678"
            ),
            metadata=METADATA,
        )
    await accounts.Adjust(
        accounts_pb2.AdjustRequest(user_id="user123", amount_micros=-500_000, reason="typo", booked_by="amina"),
        metadata=METADATA,
    )
    found = await entries(database_url)
    assert [entry["action"] for entry in found] == [
        "account.opened",
        "account.updated",
        "money.top_up",
        "money.adjustment",
    ]
    assert {entry["account"] for entry in found} == {"user123"}
    assert {(entry["principal"], entry["principal_kind"], entry["origin"], entry["request_id"]) for entry in found} == {
        ("open", "open", "192.0.2.7", "request-7")
    }
    assert found[0]["before"] is None
    assert found[0]["after"]["mode"] == "postpaid"
    assert (found[1]["before"]["status"], found[1]["after"]["status"]) == ("active", "suspended")
    assert (found[2]["before"]["posted"], found[2]["after"]["posted"]) == ("0.000000", "2.500000")
    assert found[2]["after"]["booked_by"] == "+25471…78"
    assert found[3]["after"]["amount"] == "-0.500000"


async def test_refunds_by_hand(service: Running, database_url: str) -> None:
    service.carrier.answer = lambda _: accepted("ref-1")
    outbox_id = (await service.send()).entry.outbox_id
    accounts = accounts_pb2_grpc.AccountServiceStub(service.channel)

    for _ in range(2):
        await accounts.RefundSms(
            accounts_pb2.RefundSmsRequest(outbox_id=outbox_id, reason="never came", booked_by="amina")
        )
    (entry,) = await entries(database_url)
    assert (entry["action"], entry["after"]["kind"]) == ("money.refund", "refund")
    assert entry["origin"] is not None


async def test_carriers_opt_outs_and_webhooks(service: Running, database_url: str) -> None:
    carriers = carriers_pb2_grpc.CarrierServiceStub(service.channel)
    listed = await carriers.ListCarriers(carriers_pb2.ListCarriersRequest())
    carrier = listed.carriers[0].name
    await carriers.SetCarrierMode(
        carriers_pb2.SetCarrierModeRequest(
            carrier=carrier, mode=carriers_pb2.CARRIER_MODE_PAUSED, changed_by="amina", reason="works"
        )
    )
    opt_outs = suppressions_pb2_grpc.SuppressionServiceStub(service.channel)
    wanted = suppressions_pb2.AddSuppressionRequest(phone_number="+254712345678", reason="asked", created_by="amina")
    added = await opt_outs.AddSuppression(wanted)
    await opt_outs.AddSuppression(wanted)
    for _ in range(2):
        await opt_outs.RemoveSuppression(
            suppressions_pb2.RemoveSuppressionRequest(
                suppression_id=added.suppression.suppression_id, reason="asked again", ended_by="amina"
            )
        )
    webhooks = webhooks_pb2_grpc.WebhookServiceStub(service.channel)
    made = await webhooks.CreateWebhook(
        webhooks_pb2.CreateWebhookRequest(
            user_id="user123",
            url="https://93.184.216.34/hooks/secret?token=hidden",
            events=[webhooks_pb2.WEBHOOK_EVENT_SMS_SENT],
        )
    )
    name = made.webhook.webhook_id
    await webhooks.UpdateWebhook(webhooks_pb2.UpdateWebhookRequest(webhook_id=name, description="orders"))
    rotated = await webhooks.RotateWebhookSecret(webhooks_pb2.RotateWebhookSecretRequest(webhook_id=name))
    await webhooks.DeleteWebhook(webhooks_pb2.DeleteWebhookRequest(webhook_id=name))
    with pytest.raises(aio.AioRpcError):
        await webhooks.DeleteWebhook(webhooks_pb2.DeleteWebhookRequest(webhook_id=name))
    found = await entries(database_url)
    assert [entry["action"] for entry in found] == [
        "carrier.mode_set",
        "suppression.added",
        "suppression.ended",
        "webhook.created",
        "webhook.changed",
        "webhook.secret_rotated",
        "webhook.deleted",
    ]
    assert (found[0]["subject"], found[0]["before"]) == (carrier, {"mode": "running"})
    assert found[1]["after"]["phone"] == "+25471…78"
    assert found[1]["subject"] == added.suppression.suppression_id
    assert [entry["subject"] for entry in found[3:]] == [name] * 4
    assert (found[4]["before"]["description"], found[4]["after"]["description"]) == ("", "orders")
    assert found[6]["after"] is None
    everything = str(found)
    for secret in (made.secret, rotated.secret, "hidden", "hooks/secret", "+254712345678"):
        assert secret not in everything


async def test_what_fails_is_not_in_the_log(service: Running, database_url: str) -> None:
    accounts = await opened(service)
    for request in (
        accounts_pb2.UpdateAccountRequest(user_id="nobody", status=accounts_pb2.ACCOUNT_STATUS_SUSPENDED),
        accounts_pb2.UpdateAccountRequest(user_id=str(uuid4()), status=accounts_pb2.ACCOUNT_STATUS_CLOSED),
    ):
        with pytest.raises(aio.AioRpcError):
            await accounts.UpdateAccount(request)
    assert [entry["action"] for entry in await entries(database_url)] == ["account.opened"]
