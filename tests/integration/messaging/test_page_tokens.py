"""A page token belongs to the question that it was the answer to, in every list of the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from grpc import aio
from uuid_utils.compat import uuid7

from messaging_service.notices.domain.endpoints import EndpointKind
from messaging_service.notices.endpoint_families import CHANNELS, WEBHOOKS
from messaging_service.wiring.services import SERVICES
from service_kit.grpc.grpc_errors import from_rpc_error
from tests.contract.sms_examples import RECIPIENT
from tests.integration.messaging.access.keys_at_work import terms
from tests.integration.messaging.accounts.billing_calls import Billing, instant
from tests.integration.messaging.running_service import Running
from tests.system.messaging_database import rows
from tukupay.sms.common.v1 import audit_pb2, audit_pb2_grpc
from tukupay.sms.messaging.v1 import (
    access_pb2,
    access_pb2_grpc,
    accounts_pb2,
    accounts_pb2_grpc,
    alerts_pb2,
    alerts_pb2_grpc,
    carriers_pb2,
    carriers_pb2_grpc,
    channels_pb2,
    channels_pb2_grpc,
    events_pb2,
    messaging_pb2,
    suppressions_pb2,
    suppressions_pb2_grpc,
    webhooks_pb2,
    webhooks_pb2_grpc,
)

pytestmark = pytest.mark.timeout(60)

EARLY, LATE = instant(datetime(2000, 1, 1, tzinfo=UTC)), instant(datetime(2100, 1, 1, tzinfo=UTC))
EARLIER, LATER = instant(datetime(1999, 1, 1, tzinfo=UTC)), instant(datetime(2101, 1, 1, tzinfo=UTC))
NOT_FILTERS = {"page_size", "page_token"}


@dataclass
class Listed:
    """A list with at least two rows, and another value for each field of its question."""

    call: Any
    request: type[Message]
    others: dict[str, Any]
    question: dict[str, Any] = field(default_factory=dict)

    async def wrong(self) -> list[str]:
        """The fields whose change a token does not notice, or that no value is given for."""
        name = self.request.DESCRIPTOR.name
        found = [
            f"{name}.{one.name} is not tried"
            for one in self.request.DESCRIPTOR.fields
            if one.name not in NOT_FILTERS | self.others.keys()
        ]
        page = await self.call(self.request(**self.question, page_size=1))
        assert page.next_page_token, f"{name} has one page only"
        asked = {**self.question, "page_size": 1, "page_token": page.next_page_token}
        await self.call(self.request(**asked))
        for changed, value in self.others.items():
            try:
                await self.call(self.request(**asked | {changed: value}))
            except aio.AioRpcError as error:
                failure = from_rpc_error(error)
                reasons = [] if failure is None else [violation.reason for violation in failure.violations]
                if reasons != ["INVALID_PAGE_TOKEN"]:
                    found.append(f"{name}.{changed}: {error.details()}")
            else:
                found.append(f"{name}.{changed} is ignored")
        return found


@pytest.fixture
async def lists(service: Running, database_url: str) -> list[Listed]:
    """Every list of the service, with rows."""
    billing = Billing(service)
    for user in ("user123", "other"):
        await billing.open(user)
        for reference in ("one", "two"):
            await billing.top_up(2_000_000, f"{reference} of {user}", user)
    sent = [(await service.send(tags=["otp"])).entry.outbox_id for _ in range(2)]
    endpoints = {EndpointKind.WEBHOOK: (uuid7(), uuid7()), EndpointKind.EMAIL: (uuid7(), uuid7())}
    for kind, pair in endpoints.items():
        for endpoint in pair:
            await rows(
                database_url,
                "INSERT INTO webhook_endpoint (id, account_id, kind, url, events, description, secret, enabled) "
                "VALUES (%s, 'user123', %s, 'https://example.com/', '{sms.failed}', '', 'unused', false)",
                (endpoint, kind.value),
            )
            await rows(
                database_url,
                "INSERT INTO webhook_delivery (id, endpoint_id, event_id, event_type, body, give_up_at, state, "
                "next_try_at) SELECT gen_random_uuid(), %s, n::text, 'sms.failed', '{}', now(), 'failed', NULL "
                "FROM generate_series(1, 2) n",
                (endpoint,),
            )
    await rows(
        database_url,
        "INSERT INTO alert (id, account_id, kind, subject, value, threshold) "
        "SELECT gen_random_uuid(), account, 'carrier.down', subject, 1, 1 "
        "FROM unnest(ARRAY['user123', 'other']) account, unnest(ARRAY['one', 'two']) subject",
    )
    await rows(
        database_url,
        "INSERT INTO suppression (id, phone, sender_id, sender_key, account_id, source, reason, created_by, "
        "ended_at, ended_source, ended_by, ended_reason) "
        "SELECT gen_random_uuid(), %s, 'TUKUPAY', 'tukupay', 'user123', 'operator', '', 'amina', "
        "now(), 'operator', 'amina', '' FROM generate_series(1, 2)",
        (RECIPIENT,),
    )
    books = accounts_pb2_grpc.AccountServiceStub(service.channel)
    carriers = carriers_pb2_grpc.CarrierServiceStub(service.channel)
    await carriers.ListCarriers(carriers_pb2.ListCarriersRequest())
    await rows(
        database_url,
        "INSERT INTO carrier_report (carrier, replica, status) SELECT carrier, 'another', status FROM carrier_report",
    )
    keys = access_pb2_grpc.AccessServiceStub(service.channel)
    for _ in range(2):
        await keys.CreateKey(access_pb2.CreateKeyRequest(terms=terms(accounts=["user123"])))
    return [
        Listed(
            keys.ListKeys,
            access_pb2.ListKeysRequest,
            {"user_id": "other", "status": access_pb2.KEY_STATUS_ACTIVE},
            {"user_id": "user123"},
        ),
        Listed(
            service.sms.ListOutboxEntries,
            messaging_pb2.ListOutboxEntriesRequest,
            {
                "user_id": "other",
                "status": messaging_pb2.SMS_STATUS_FAILED,
                "tag": "promo",
                "created_from": EARLIER,
                "created_before": LATER,
                "recipient_phone_number": "+254799999999",
            },
            {"user_id": "user123", "tag": "otp", "created_from": EARLY, "created_before": LATE},
        ),
        Listed(
            service.events.ListOutboxEvents,
            events_pb2.ListOutboxEventsRequest,
            {"outbox_id": sent[1]},
            {"outbox_id": sent[0]},
        ),
        Listed(
            webhooks_pb2_grpc.WebhookServiceStub(service.channel).ListWebhooks,
            webhooks_pb2.ListWebhooksRequest,
            {"user_id": "other"},
            {"user_id": "user123"},
        ),
        Listed(
            channels_pb2_grpc.ChannelServiceStub(service.channel).ListChannels,
            channels_pb2.ListChannelsRequest,
            {"user_id": "other"},
            {"user_id": "user123"},
        ),
        Listed(service.sms.ListErrorCodes, messaging_pb2.ListErrorCodesRequest, {}),
        Listed(carriers.ListCarriers, carriers_pb2.ListCarriersRequest, {}),
        Listed(
            books.ListAccounts,
            accounts_pb2.ListAccountsRequest,
            {"mode": accounts_pb2.ACCOUNT_MODE_PREPAID, "status": accounts_pb2.ACCOUNT_STATUS_ACTIVE},
        ),
        Listed(
            books.ListLedgerEntries,
            accounts_pb2.ListLedgerEntriesRequest,
            {"user_id": "other", "period_start": EARLIER, "period_end": LATER, "through_entry_id": 1},
            {"user_id": "user123", "period_start": EARLY, "period_end": LATE},
        ),
        Listed(
            webhooks_pb2_grpc.WebhookServiceStub(service.channel).ListWebhookDeliveries,
            webhooks_pb2.ListWebhookDeliveriesRequest,
            {
                "webhook_id": WEBHOOKS.public_id(endpoints[EndpointKind.WEBHOOK][1]),
                "state": webhooks_pb2.WEBHOOK_DELIVERY_STATE_FAILED,
                "event": webhooks_pb2.WEBHOOK_EVENT_SMS_FAILED,
            },
            {"webhook_id": WEBHOOKS.public_id(endpoints[EndpointKind.WEBHOOK][0])},
        ),
        Listed(
            channels_pb2_grpc.ChannelServiceStub(service.channel).ListChannelDeliveries,
            channels_pb2.ListChannelDeliveriesRequest,
            {
                "channel_id": CHANNELS.public_id(endpoints[EndpointKind.EMAIL][1]),
                "state": channels_pb2.CHANNEL_DELIVERY_STATE_FAILED,
                "event": channels_pb2.CHANNEL_EVENT_SMS_FAILED,
            },
            {"channel_id": CHANNELS.public_id(endpoints[EndpointKind.EMAIL][0])},
        ),
        Listed(
            suppressions_pb2_grpc.SuppressionServiceStub(service.channel).ListSuppressions,
            suppressions_pb2.ListSuppressionsRequest,
            {
                "phone_number": "+254712345679",
                "sender_id": "OTHER",
                "user_id": "other",
                "source": suppressions_pb2.SUPPRESSION_SOURCE_API,
                "include_ended": False,
            },
            {"phone_number": RECIPIENT, "sender_id": "TUKUPAY", "user_id": "user123", "include_ended": True},
        ),
        Listed(
            alerts_pb2_grpc.AlertServiceStub(service.channel).ListAlerts,
            alerts_pb2.ListAlertsRequest,
            {"user_id": "other", "only_open": True},
            {"user_id": "user123"},
        ),
        Listed(
            audit_pb2_grpc.AuditServiceStub(service.channel).ListAuditEntries,
            audit_pb2.ListAuditEntriesRequest,
            {
                "action": "account.opened",
                "principal": "nobody",
                "user_id": "other",
                "subject": "other",
                "start_time": EARLIER,
                "end_time": LATER,
            },
            {"start_time": EARLY, "end_time": LATE},
        ),
    ]


async def test_a_page_token_serves_no_other_question(lists: list[Listed]) -> None:
    assert [problem for listed in lists for problem in await listed.wrong()] == []


async def test_every_list_with_pages_is_tried(lists: list[Listed]) -> None:
    with_pages = {
        method.input_type.name
        for name in SERVICES
        for method in Default().FindServiceByName(name).methods
        if "page_token" in method.input_type.fields_by_name
    }
    assert {listed.request.DESCRIPTOR.name for listed in lists} == with_pages
