"""An OTP, secrets and a phone go through every path: none is in a log, a figure, or a dump of the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from messaging_service.carriers.domain.submission import DeliveryReceipt, Outcome, OutcomeKind, ReceiptState
from messaging_service.opt_outs.domain.inbound import InboundMessage
from service_kit.settings import Address
from tests.contract.sms_examples import RECIPIENT, accepted, refused
from tests.doubles.webhook_receiver import receiver
from tests.integration.messaging.access.keys_at_work import terms
from tests.integration.messaging.notices.channels_at_work import CANARY, OPEN, channels, room
from tests.integration.messaging.notices.webhooks_at_work import webhooks
from tests.integration.messaging.running_service import Running, message, refusal_of, service_on
from tests.system.messaging_database import rows, until_found
from tests.system.ports import free_port
from tests.system.sealing import key_file
from tukupay.sms.messaging.v1 import (
    access_pb2,
    access_pb2_grpc,
    channels_pb2,
    messaging_pb2,
    suppressions_pb2,
    suppressions_pb2_grpc,
    webhooks_pb2,
)

OTP = "84210973"
TEXT = f"Your code is {OTP}."
CUSTOM = f'{{"session": "{OTP}"}}'
DIGITS = RECIPIENT[1:]
# Where a number stands in the open, and why.
OPEN_NUMBERS = {
    ("message", "recipient"): "resends, receipts and opt-outs are matched by it; it goes with the erasure of the phone",
    ("dispatch", "recipient"): "while the message is open",
    ("receipt", "recipient"): "for as long as receipts are kept",
    ("suppression", "phone"): "until the phone is erased",
    ("inbound_message", "phone"): "for as long as messages from phones are kept",
}

pytestmark = pytest.mark.timeout(100)


async def test_no_canary_is_in_logs_figures_or_a_dump_of_the_database(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    async with receiver() as system:
        choices: dict[str, Any] = {
            "kek_file": key_file(tmp_path),
            "metrics_address": Address("127.0.0.1", port),
            "webhook_allow_http": True,
            "webhook_allowed_networks": OPEN["channel_allowed_networks"],
            **OPEN,
        }
        async with service_on(database_url, **choices) as running:
            secrets = await through_every_path(running, database_url, system.url, room(system))
            async with httpx.AsyncClient(trust_env=False) as client:
                figures = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    told = capsys.readouterr()
    logs = "\n".join((caplog.text, told.out, told.err))
    assert "batch_item.refused" in logs, "the log is the service's"
    dump = await dumped(database_url)
    stands: dict[str, str] = {"an OTP": OTP, "a channel": CANARY, **secrets}
    for what, canary in stands.items():
        assert canary not in logs, what
        assert canary not in figures, what
        assert [place for place, text in dump.items() if canary in text] == [], what
    assert DIGITS not in logs
    assert DIGITS not in figures
    assert {place for place, text in dump.items() if DIGITS in text} <= OPEN_NUMBERS.keys()


async def through_every_path(running: Running, url: str, target: str, channel: str) -> dict[str, str]:
    """Sends, resends, cancels, refuses, quotes, reports and opts out; the secrets that were made meanwhile."""
    hook = await webhooks(running).CreateWebhook(
        webhooks_pb2.CreateWebhookRequest(user_id="user123", url=target, events=[webhooks_pb2.WEBHOOK_EVENT_SMS_SENT])
    )
    old = hook.secret
    rotated = await webhooks(running).RotateWebhookSecret(
        webhooks_pb2.RotateWebhookSecretRequest(webhook_id=hook.webhook.webhook_id)
    )
    await channels(running).CreateChannel(
        channels_pb2.CreateChannelRequest(
            user_id="user123", url=channel, events=[channels_pb2.CHANNEL_EVENT_SMS_FAILED]
        )
    )
    keys = access_pb2_grpc.AccessServiceStub(running.channel)
    key = await keys.CreateKey(access_pb2.CreateKeyRequest(terms=terms()))
    running.carrier.answer = lambda _: said(accepted("C1"))
    asked = {"message": TEXT, "custom_data_json": CUSTOM}
    sent = (await running.send(**asked, message_id="m1")).entry
    assert (sent.message, sent.custom_data_json) == (TEXT, CUSTOM)
    assert (await running.send(**asked, message_id="m1")).replayed
    assert (await refusal_of(running.send(message=TEXT + "!", message_id="m1"))).reason == "MESSAGE_ID_REUSED"
    assert (await refusal_of(running.send(message=TEXT, sender_id="\x00"))).reason == "INVALID_ARGUMENT"
    await refusal_of(running.send(message=TEXT, recipient_phone_number=DIGITS))
    running.carrier.answer = lambda _: said(refused())
    failed = (await running.send(**asked)).entry
    running.carrier.answer = lambda _: said(accepted("C2"))
    await running.sms.ResendSms(messaging_pb2.ResendSmsRequest(outbox_id=failed.outbox_id))
    later = message(**asked)
    later.scheduled_time.FromDatetime(datetime(2100, 1, 1, tzinfo=UTC))
    await refusal_of(running.sms.SendSms(later))
    await running.sms.QuoteSms(
        messaging_pb2.QuoteSmsRequest(user_id="user123", message=TEXT, recipient_phone_number=RECIPIENT)
    )
    results = await running.batch([message(**asked, message_id="m2"), message(message=TEXT, sender_id="")])
    assert results[1].error.reason == "INVALID_ARGUMENT"
    raw = f"id:C1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:{TEXT} to {RECIPIENT}"
    receipts = [
        DeliveryReceipt("smpp", id_, ReceiptState.DELIVERED, RECIPIENT, "TUKUPAY", None, None, raw)
        for id_ in ("C1", "nobody's")
    ]
    await running.sinks[0].receipts(receipts)
    await until_found(url, "SELECT 1 FROM message WHERE state = 'delivered'")
    await until_found(url, "SELECT 1 FROM webhook_delivery WHERE state = 'delivered'")
    stop = InboundMessage("smpp", RECIPIENT, "TUKUPAY", f"STOP {OTP}", False, datetime.now(UTC))
    await running.sinks[0].inbound([stop, InboundMessage("smpp", RECIPIENT, "OTHER", OTP, False, datetime.now(UTC))])
    await until_found(url, "SELECT 1 FROM inbound_message WHERE directive IS NOT NULL OFFSET 1")
    stops = suppressions_pb2_grpc.SuppressionServiceStub(running.channel)
    await stops.AddSuppression(
        suppressions_pb2.AddSuppressionRequest(
            phone_number=RECIPIENT, sender_id="TUKUPAY", reason="asked", created_by="desk"
        )
    )
    assert (await refusal_of(running.send(**asked))).reason == "RECIPIENT_OPTED_OUT"
    return {"a webhook's secret": rotated.secret, "the secret before": old, "an API key": key.secret}


def said(outcome: Outcome) -> Outcome:
    """An outcome in the words of a carrier that repeats what it was asked."""
    return Outcome(
        OutcomeKind(outcome.kind),
        outcome.carrier,
        outcome.carrier_message_ids,
        outcome.error_code,
        f"{outcome.raw}: {TEXT} to {RECIPIENT}",
    )


async def dumped(url: str) -> Mapping[tuple[str, str], str]:
    """Every column of every table as text."""
    columns = await rows(
        url,
        "SELECT c.table_name::text, c.column_name::text FROM information_schema.columns c "
        "JOIN information_schema.tables t USING (table_schema, table_name) "
        # A partition's rows are those of its table.
        "WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' "
        "AND NOT (SELECT relispartition FROM pg_class WHERE oid = quote_ident(c.table_name)::regclass)",
    )
    assert len(columns) > 200
    return {
        (table, column): "\n".join(
            str(row[0])
            for row in await rows(url, f'SELECT "{column}"::text FROM "{table}" WHERE "{column}" IS NOT NULL')
        )
        for table, column in columns
    }
