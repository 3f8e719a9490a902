"""The whole of it in a running service: rows of before are sealed, phones erased, keys wrapped anew, terms kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.sms_examples import RECIPIENT
from tests.integration.messaging.metered_service import metered_on
from tests.integration.messaging.running_service import refusal_of, service_on
from tests.system.messaging_database import rows
from tests.system.sealing import key_line
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import accounts_pb2, privacy_pb2, privacy_pb2_grpc

pytestmark = pytest.mark.timeout(60)

TEXT = "Your code is 84210973."
PLAIN = "SELECT count(*) FROM message WHERE text IS NOT NULL"


async def test_a_service_that_gets_keys_seals_what_is_there_erases_and_rotates(database_url: str, keys: Path) -> None:
    async with service_on(database_url) as before:
        old = [(await before.send(message=f"{TEXT} {n}")).entry for n in range(3)]
        privacy = privacy_pb2_grpc.PrivacyServiceStub(before.channel)
        asked = privacy_pb2.ErasePhoneRequest(phone_number=RECIPIENT)
        assert (await refusal_of(privacy.ErasePhone(asked))).reason == "KEYS_NOT_SET"
        assert (await refusal_of(privacy.RotateKeys(privacy_pb2.RotateKeysRequest()))).reason == "KEYS_NOT_SET"
    await rows(database_url, "UPDATE message SET created_at = created_at - interval '1 hour'")
    async with metered_on(database_url, kek_file=keys) as metered:
        service = metered.service
        privacy = privacy_pb2_grpc.PrivacyServiceStub(service.channel)
        tables = ("message", "idempotency", "message_event", "receipt", "webhook_endpoint", "webhook_delivery")
        name = "tukupay_privacy_conversion_caught_up"
        await metered.until(lambda figures: all(figures(name, table=table) == 1 for table in tables))
        assert await rows(database_url, PLAIN) == [(0,)]
        assert [(await service.entry(entry.outbox_id)).message for entry in old] == [entry.message for entry in old]
        await service.send(message=TEXT)
        replace(keys, key_line("second") + text_of(keys))

        async def rotated() -> bool:
            answer = await privacy.RotateKeys(privacy_pb2.RotateKeysRequest())
            return (answer.wrapped_by, answer.rewrapped) == ("second", 0)

        await eventually("the second key wraps all data keys", rotated)
        assert (await service.entry(old[0].outbox_id)).message == old[0].message
        before_money = await service.money()
        erased = await privacy.ErasePhone(asked)
        assert (erased.messages, erased.open_messages) == (4, 0)
        shown = await service.entry(old[0].outbox_id)
        assert (shown.message, shown.text_erased, shown.recipient_phone_number) == ("", True, "")
        assert (shown.total_cost_micros, shown.sms_units_used) == (old[0].total_cost_micros, 1)
        assert await service.money() == before_money
        books = await service.accounts.VerifyBooks(accounts_pb2.VerifyBooksRequest())
        assert list(books.faults) == []


async def test_an_account_has_a_term_of_its_own_or_that_of_all(database_url: str) -> None:
    async with service_on(database_url, text_retention_days=90) as service:
        privacy = privacy_pb2_grpc.PrivacyServiceStub(service.channel)
        own = privacy_pb2.SetTextRetentionRequest(user_id="user123", days=30)
        assert (await refusal_of(privacy.SetTextRetention(own))).reason == "ACCOUNT_NOT_FOUND"
        await service.send()
        assert await privacy.SetTextRetention(own) == privacy_pb2.SetTextRetentionResponse(days=30, own=True)
        as_all = privacy_pb2.SetTextRetentionRequest(user_id="user123")
        assert await privacy.SetTextRetention(as_all) == privacy_pb2.SetTextRetentionResponse(days=90, own=False)


def text_of(path: Path) -> str:
    """What a file holds."""
    return path.read_text()


def replace(path: Path, text: str) -> None:
    """Writes the file as deployments do: a new one in its place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
