"""What callers change by hand stands in the audit log, in the transaction of the change, with who asked for it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from service_kit.access import origins, principal_messages
from service_kit.access.principal import Principal, PrincipalKind
from service_kit.access.principal_messages import from_principal
from service_kit.errors import Kind
from tests.contract.sms_examples import accepted
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import rows, until_found
from tukupay.sms.common.v1 import audit_pb2, audit_pb2_grpc
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


async def test_entries_are_listed_newest_first_by_pages_and_filters(service: Running) -> None:
    accounts = await opened(service)
    for number in range(4):
        await accounts.Adjust(
            accounts_pb2.AdjustRequest(user_id="user123", amount_micros=1_000_000, reason=f"{number}", booked_by="me"),
            metadata=METADATA,
        )
    log = audit_pb2_grpc.AuditServiceStub(service.channel)

    async def listed(**wanted: Any) -> list[audit_pb2.AuditEntry]:
        found: list[audit_pb2.AuditEntry] = []
        token = ""
        while True:
            request = audit_pb2.ListAuditEntriesRequest(page_size=2, page_token=token, **wanted)
            page = await log.ListAuditEntries(request)
            found += page.entries
            if not (token := page.next_page_token):
                return found

    everything = await listed()
    assert [entry.action for entry in everything] == ["money.adjustment"] * 4 + ["account.opened"]
    newest = everything[0]
    assert (newest.user_id, newest.principal, newest.origin, newest.request_id) == (
        "user123",
        "open",
        "192.0.2.7",
        "request-7",
    )
    assert newest.after["reason"] == "3"
    assert not everything[-1].HasField("before")
    assert await listed(action="money.", user_id="user123", principal="open", end_time=newest.time) == everything[1:4]
    assert await listed(action="account.opened", subject="user123") == everything[4:]
    assert await listed(action="money") == []
    for wrong, field in (
        (audit_pb2.ListAuditEntriesRequest(action=""), "action"),
        (audit_pb2.ListAuditEntriesRequest(page_size=501), "page_size"),
        (audit_pb2.ListAuditEntriesRequest(page_token="x"), "page_token"),
        (audit_pb2.ListAuditEntriesRequest(start_time=Timestamp(seconds=2**60)), "start_time"),
    ):
        error = await refusal_of(log.ListAuditEntries(wrong))
        assert [violation.field for violation in error.violations] == [field]


async def test_what_the_gateway_refuses_is_in_the_log_too(service: Running, database_url: str) -> None:
    log = audit_pb2_grpc.AuditServiceStub(service.channel)
    refusal = audit_pb2.RefusedCall(
        principal="tk_live_4fQ2bT9x",
        principal_kind="api_key",
        method="GET /api/sms/outbox",
        scope="sms:read",
        origin="192.0.2.7",
        request_id="request-9",
        calls=3,
    )
    await log.NoteRefusals(audit_pb2.NoteRefusalsRequest(refusals=[refusal]))
    await until_found(database_url, "SELECT 1 FROM audit_entry")
    (entry,) = await entries(database_url)
    assert (entry["action"], entry["subject"], entry["principal"]) == (
        "access.refused",
        "GET /api/sms/outbox",
        "tk_live_4fQ2bT9x",
    )
    assert entry["after"] == {"scope": "sms:read", "calls": 3}
    for wrong in (audit_pb2.NoteRefusalsRequest(), audit_pb2.NoteRefusalsRequest(refusals=[audit_pb2.RefusedCall()])):
        assert (await refusal_of(log.NoteRefusals(wrong))).violations


async def test_what_a_service_refuses_is_in_the_log(service: Running, database_url: str) -> None:
    accounts = accounts_pb2_grpc.AccountServiceStub(service.channel)
    reader = Principal("tk_live_4fQ2bT9x", PrincipalKind.API_KEY, frozenset({"user123"}), frozenset({"accounts:read"}))
    asserted = (principal_messages.METADATA_KEY, from_principal(reader).SerializeToString())
    for _ in range(3):
        for question in (
            accounts.OpenAccount(accounts_pb2.OpenAccountRequest(user_id="user123"), metadata=(*METADATA, asserted)),
            accounts.GetAccount(accounts_pb2.GetAccountRequest(user_id="other"), metadata=(*METADATA, asserted)),
        ):
            assert (await refusal_of(question)).kind is Kind.PERMISSION_DENIED
    await until_found(database_url, "SELECT 1 FROM audit_entry OFFSET 1")
    found = await entries(database_url)
    assert {(entry["subject"].rpartition("/")[2], entry["after"]["scope"]) for entry in found} == {
        ("OpenAccount", "accounts:write"),
        ("GetAccount", None),
    }
    assert {(entry["principal"], entry["origin"]) for entry in found} == {("tk_live_4fQ2bT9x", "192.0.2.7")}


async def test_what_fails_is_not_in_the_log(service: Running, database_url: str) -> None:
    accounts = await opened(service)
    for request in (
        accounts_pb2.UpdateAccountRequest(user_id="nobody", status=accounts_pb2.ACCOUNT_STATUS_SUSPENDED),
        accounts_pb2.UpdateAccountRequest(user_id=str(uuid4()), status=accounts_pb2.ACCOUNT_STATUS_CLOSED),
    ):
        with pytest.raises(aio.AioRpcError):
            await accounts.UpdateAccount(request)
    assert [entry["action"] for entry in await entries(database_url)] == ["account.opened"]
