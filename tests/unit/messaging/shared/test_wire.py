"""Watches the whole of the wire: every call answered, every word and failure mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.abuse.grpc.feedback_servicer import FeedbackServicer
from messaging_service.access.grpc.access_servicer import AccessServicer
from messaging_service.accounts.domain.account import AccountMode, AccountStatus
from messaging_service.accounts.domain.ledger import EntryKind
from messaging_service.accounts.grpc import account_messages
from messaging_service.accounts.grpc.account_servicer import AccountServicer
from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.carrier_status import BindState
from messaging_service.carriers.domain.circuit_breaker import BreakerState
from messaging_service.carriers.files.carriers_file import KINDS
from messaging_service.carriers.grpc import carrier_servicer
from messaging_service.carriers.grpc.carrier_servicer import CarrierServicer
from messaging_service.events.grpc.event_servicer import EventServicer
from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.domain.channels import CHANNEL_EVENTS, CHANNEL_KINDS
from messaging_service.notices.domain.endpoints import DeliveryState, EventType
from messaging_service.notices.grpc import channel_messages, webhook_messages
from messaging_service.notices.grpc.alert_messages import ALERT_KINDS
from messaging_service.notices.grpc.alert_servicer import AlertServicer
from messaging_service.notices.grpc.channel_servicer import ChannelServicer
from messaging_service.notices.grpc.webhook_servicer import WebhookServicer
from messaging_service.opt_outs.domain.suppression import Source
from messaging_service.opt_outs.grpc.suppression_servicer import SOURCES, SuppressionServicer
from messaging_service.privacy.grpc.privacy_servicer import PrivacyServicer
from messaging_service.receipts.grpc.carrier_callback_servicer import CarrierCallbackServicer
from messaging_service.reports.grpc.report_servicer import ReportServicer
from messaging_service.sending.grpc import outbox_messages, send_messages
from messaging_service.sending.grpc.messaging_servicer import MessagingServicer
from messaging_service.sending.outbox import Accepted
from messaging_service.shared.domain.encoding import Encoding
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.money import PriceLevel
from messaging_service.shared.domain.states import STATUS_OF, Billing, Priority, State, Status
from messaging_service.shared.grpc import wire
from messaging_service.wiring.services import SERVICES
from service_kit.access.principal import OPEN
from service_kit.audit.audit_servicer import AuditServicer
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.grpc.grpc_errors import CODES
from tests.contract.sms_examples import acceptance
from tests.doubles.in_memory_outbox import Book, InMemoryOutbox
from tukupay.sms.common.v1 import audit_pb2
from tukupay.sms.messaging.v1 import (
    accounts_pb2,
    alerts_pb2,
    carrier_callbacks_pb2,
    carriers_pb2,
    channels_pb2,
    events_pb2,
    feedback_pb2,
    privacy_pb2,
    reports_pb2,
    suppressions_pb2,
    webhooks_pb2,
)
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2

SERVICERS = {
    "MessagingService": MessagingServicer,
    "AccessService": AccessServicer,
    "AccountService": AccountServicer,
    "AuditService": AuditServicer,
    "EventService": EventServicer,
    "CarrierService": CarrierServicer,
    "CarrierCallbackService": CarrierCallbackServicer,
    "FeedbackService": FeedbackServicer,
    "PrivacyService": PrivacyServicer,
    "SuppressionService": SuppressionServicer,
    "ReportService": ReportServicer,
    "WebhookService": WebhookServicer,
    "AlertService": AlertServicer,
    "ChannelService": ChannelServicer,
}
CALLS = [
    (service.name, method.name)
    for file in (
        pb.DESCRIPTOR,
        alerts_pb2.DESCRIPTOR,
        audit_pb2.DESCRIPTOR,
        accounts_pb2.DESCRIPTOR,
        carriers_pb2.DESCRIPTOR,
        carrier_callbacks_pb2.DESCRIPTOR,
        channels_pb2.DESCRIPTOR,
        events_pb2.DESCRIPTOR,
        feedback_pb2.DESCRIPTOR,
        privacy_pb2.DESCRIPTOR,
        reports_pb2.DESCRIPTOR,
        suppressions_pb2.DESCRIPTOR,
        webhooks_pb2.DESCRIPTOR,
    )
    for service in file.services_by_name.values()
    for method in service.methods
]


@pytest.mark.parametrize(("service", "call"), CALLS)
def test_every_declared_call_is_implemented(service: str, call: str) -> None:
    assert call in vars(SERVICERS[service])


def test_every_service_is_named_for_health_and_reflection() -> None:
    assert {name.rpartition(".")[2] for name in SERVICES} == set(SERVICERS)


@pytest.mark.parametrize(
    ("table", "words", "wire_words"),
    [
        (wire.STATUSES, Status, pb.SmsStatus),
        (wire.STATES, State, pb.DeliveryState),
        (wire.BILLINGS, Billing, pb.BillingState),
        (outbox_messages.PRIORITIES, Priority, pb.Priority),
        (wire.ENCODINGS, Encoding, pb.Encoding),
        (account_messages.MODES, AccountMode, accounts_pb2.AccountMode),
        (account_messages.ACCOUNT_STATUSES, AccountStatus, accounts_pb2.AccountStatus),
        (wire.LEVELS, PriceLevel, pb.PriceLevel),
        (carrier_servicer.MODES, CarrierMode, carriers_pb2.CarrierMode),
        (carrier_servicer.BREAKERS, BreakerState, carriers_pb2.BreakerState),
        (carrier_servicer.BINDS, BindState, carriers_pb2.BindState),
        (account_messages.KINDS, EntryKind, accounts_pb2.LedgerEntryKind),
        (SOURCES, Source, suppressions_pb2.SuppressionSource),
        (ALERT_KINDS, AlertKind, alerts_pb2.AlertKind),
        (webhook_messages.EVENTS, EventType, webhooks_pb2.WebhookEvent),
        (webhook_messages.STATES, DeliveryState, webhooks_pb2.WebhookDeliveryState),
        (channel_messages.STATES, DeliveryState, channels_pb2.ChannelDeliveryState),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_word_has_its_place_on_the_wire(table: Mapping[Any, int], words: type[Enum], wire_words: Any) -> None:
    assert set(table) == set(words)
    assert sorted(table.values()) == sorted(set(wire_words.values()) - {0})
    for word, number in table.items():
        assert wire_words.Name(number).endswith(f"_{word.name}")


def test_every_event_and_kind_of_channels_has_its_place_on_the_wire() -> None:
    assert set(channel_messages.EVENTS) == {*CHANNEL_EVENTS, EventType.WEBHOOK_TEST}
    assert sorted(channel_messages.EVENTS.values()) == sorted(set(channels_pb2.ChannelEvent.values()) - {0})
    assert set(channel_messages.KINDS) == set(CHANNEL_KINDS)
    assert sorted(channel_messages.KINDS.values()) == sorted(set(channels_pb2.ChannelKind.values()) - {0})


def test_every_kind_of_carrier_has_its_place_on_the_wire() -> None:
    assert set(carrier_servicer.KINDS) == set(KINDS)
    for kind, number in carrier_servicer.KINDS.items():
        assert carriers_pb2.CarrierKind.Name(number) == f"CARRIER_KIND_{kind.upper()}"


def test_price_levels_have_the_values_of_pricing() -> None:
    levels: dict[str, int] = {name.removeprefix("PRICE_LEVEL_"): number for name, number in pb.PriceLevel.items()}
    assert levels == {name.removeprefix("COST_LEVEL_"): number for name, number in pricing_pb2.CostLevel.items()}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_failure_is_an_item_error(kind: Kind) -> None:
    error = ServiceError(kind, "REASON", "text", metadata={"a": "b"}, retry_after=timedelta(milliseconds=1_500))
    item = send_messages.from_error(error)
    assert (item.code, item.reason, item.message, dict(item.metadata)) == (CODES[kind], "REASON", "text", {"a": "b"})
    assert item.retry_delay.ToMilliseconds() == 1_500


def test_an_item_error_names_the_fields_at_fault() -> None:
    item = send_messages.from_error(invalid([Violation("tags[1]", "INVALID_TAG", "is empty")]))
    assert [(v.field, v.reason, v.description) for v in item.violations] == [("tags[1]", "INVALID_TAG", "is empty")]
    assert not item.HasField("retry_delay")


async def a_message(**changes: Any) -> Message:
    (answer,) = await InMemoryOutbox(Book()).accept([acceptance()])
    assert isinstance(answer, Accepted)
    return replace(answer.message, **changes)


async def test_what_is_absent_stays_absent() -> None:
    entry = outbox_messages.from_message(await a_message(), OPEN)
    for field in (
        "sent_time",
        "last_attempt_time",
        "scheduled_time",
        "delivered_time",
        "message_name",
        "error_code",
        "error_details",
        "error_advice",
        "carrier_error_code",
        "expires_time",
        "custom_data_json",
        "app_id",
        "carrier",
    ):
        assert not entry.HasField(field), field
    assert entry.HasField("created_time")


@pytest.mark.parametrize("state", list(State))
async def test_an_entry_shows_its_state_in_both_vocabularies(state: State) -> None:
    entry = outbox_messages.from_message(await a_message(state=state), OPEN)
    assert entry.delivery_state == wire.STATES[state]
    assert entry.status == wire.STATUSES[STATUS_OF[state]]


async def test_an_entry_shows_everything_that_is_known() -> None:
    time = datetime(2026, 6, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    message = await a_message(
        sent_at=time,
        last_attempt_at=time,
        scheduled_at=time,
        delivered_at=time,
        expires_at=time,
        message_name="OTP",
        error_code="NOT_DELIVERED",
        carrier_error_code="034",
        custom_data_json="{}",
        app_id="app7",
        carrier="smpp",
        tags=("a", "b"),
        retry_count=2,
        content=b"never shown",
        is_text_erased=True,
    )
    assert all(getattr(message, field.name) is not None for field in fields(message))
    entry = outbox_messages.from_message(message, OPEN)
    assert {field.name for field, _ in entry.ListFields()} == {field.name for field in pb.OutboxEntry.DESCRIPTOR.fields}
    assert entry.sent_time.ToDatetime(tzinfo=UTC) == time
    assert (entry.unit_price_micros, entry.total_cost_micros) == (600_000, 600_000)
    assert entry.error_details.startswith("The carrier took the message")
    assert (entry.error_advice, entry.resend_advice) == ("Resend later.", pb.RESEND_ADVICE_LATER)
    assert entry.expires_time.ToDatetime(tzinfo=UTC) == time


@pytest.mark.parametrize(
    "stamp",
    [
        Timestamp(seconds=-62_135_596_801),
        Timestamp(seconds=253_402_300_800),
        Timestamp(nanos=-1),
        Timestamp(nanos=1_000_000_000),
        Timestamp(seconds=2**62),
    ],
)
def test_an_instant_out_of_range_names_its_field(stamp: Timestamp) -> None:
    with pytest.raises(ServiceError) as caught:
        wire.to_instant("scheduled_time", stamp)
    assert [violation.field for violation in caught.value.violations] == ["scheduled_time"]


@pytest.mark.parametrize("stamp", [Timestamp(), Timestamp(seconds=-62_135_596_800), Timestamp(seconds=253_402_300_799)])
def test_an_instant_in_range_is_utc(stamp: Timestamp) -> None:
    assert wire.to_instant("at", stamp).tzinfo is UTC


@pytest.mark.parametrize(
    "wait",
    [Duration(seconds=-1), Duration(seconds=60, nanos=1), Duration(seconds=10**12), Duration(nanos=-1)],
)
def test_a_wait_out_of_range_names_its_field(wait: Duration) -> None:
    with pytest.raises(ServiceError) as caught:
        send_messages.to_wait_s(wait, 5.0)
    assert [violation.field for violation in caught.value.violations] == ["outcome_wait"]


def test_a_wait_in_range_is_in_seconds() -> None:
    assert send_messages.to_wait_s(None, 5.0) == 5.0
    assert send_messages.to_wait_s(Duration(), 5.0) == 0
    assert send_messages.to_wait_s(Duration(seconds=60), 5.0) == 60
    assert send_messages.to_wait_s(Duration(nanos=500_000_000), 5.0) == 0.5


def test_optional_fields_are_told_from_empty_ones() -> None:
    absent = send_messages.to_draft(pb.SendSmsRequest(user_id="user123"), OPEN)
    empty = send_messages.to_draft(
        pb.SendSmsRequest(message_name="", message_id="", custom_data_json="", app_id=""), OPEN
    )
    assert (absent.message_name, absent.message_id, absent.custom_data_json, absent.app_id) == (None,) * 4
    assert (empty.message_name, empty.message_id, empty.custom_data_json, empty.app_id) == ("",) * 4
    assert (absent.scheduled_time, absent.expires_time) == (None, None)
    assert absent.priority is Priority.NORMAL


def test_a_priority_that_this_release_does_not_know_is_refused() -> None:
    newer = pb.SendSmsRequest(priority=7)  # type: ignore[arg-type]  # what a newer client may send
    with pytest.raises(ServiceError) as caught:
        send_messages.to_draft(newer, OPEN)
    assert [(v.field, v.reason) for v in caught.value.violations] == [("priority", "UNKNOWN_PRIORITY")]
