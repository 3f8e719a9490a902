"""The terms of accounts against abuse, over gRPC."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from service_kit.errors import Kind
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2

pytestmark = pytest.mark.timeout(60)

UGANDA = "+256712345678"
KENYA = "+254712345678"
ALL = pb.AccountLimits(
    messages_per_recipient_window=10,
    otps_per_recipient_window=3,
    destinations=pb.DestinationCountries(countries=["+881", "KE", "UG"]),
    pumping=pb.PUMPING_GUARD_BLOCK,
)


def countries(*names: str) -> pb.AccountLimits:
    return pb.AccountLimits(destinations=pb.DestinationCountries(countries=names))


async def opened(service: Running, limits: pb.AccountLimits) -> pb.OpenAccountResponse:
    request = pb.OpenAccountRequest(user_id="user123", mode=pb.ACCOUNT_MODE_POSTPAID, limits=limits)
    return await service.accounts.OpenAccount(request)


async def changed(service: Running, *paths: str, **limits: Any) -> pb.AccountLimits:
    request = pb.UpdateAccountRequest(
        user_id="user123", limits=pb.AccountLimits(**limits), update_mask=FieldMask(paths=paths)
    )
    return (await service.accounts.UpdateAccount(request)).account.limits


async def test_terms_come_back_as_they_were_set_and_a_mask_changes_each_alone(service: Running) -> None:
    given = pb.AccountLimits()
    given.CopyFrom(ALL)
    given.destinations.countries[:] = ["ug", " KE", "+881"]
    assert (await opened(service, given)).account.limits == ALL
    assert (await opened(service, given)).replayed
    assert (await refusal_of(opened(service, pb.AccountLimits()))).reason == "ACCOUNT_EXISTS"
    without = await changed(service, "limits.destinations", pumping=pb.PUMPING_GUARD_OFF)
    assert (without.HasField("destinations"), without.pumping) == (False, pb.PUMPING_GUARD_BLOCK)
    off = await changed(service, "limits.pumping", pumping=pb.PUMPING_GUARD_OFF)
    assert (off.pumping, off.otps_per_recipient_window) == (pb.PUMPING_GUARD_OFF, 3)
    # Without a mask, what is present changes and nothing is emptied.
    more = await changed(service, otps_per_recipient_window=7)
    assert (more.otps_per_recipient_window, more.messages_per_recipient_window) == (7, 10)
    assert await changed(service, "limits") == pb.AccountLimits()


@pytest.mark.parametrize(
    ("limits", "field", "reason"),
    [
        (pb.AccountLimits(messages_per_recipient_window=0), "limits.messages_per_recipient_window", "OUT_OF_RANGE"),
        (pb.AccountLimits(otps_per_recipient_window=101), "limits.otps_per_recipient_window", "OUT_OF_RANGE"),
        (countries(), "limits.destinations.countries", "OUT_OF_RANGE"),
        (countries(*["KE"] * 301), "limits.destinations.countries", "OUT_OF_RANGE"),
        (countries("KE", "Kenya"), "limits.destinations.countries", "INVALID_VALUE"),
        (pb.AccountLimits(pumping=9), "limits.pumping", "INVALID_VALUE"),  # type: ignore[arg-type]  # a newer client's
    ],
)
async def test_terms_at_fault_are_named(service: Running, limits: pb.AccountLimits, field: str, reason: str) -> None:
    error = await refusal_of(opened(service, limits))
    assert [(each.field, each.reason) for each in error.violations] == [(field, reason)]


async def test_an_account_may_send_where_others_may_not_and_not_where_they_may(
    service: Running, database_url: str
) -> None:
    await opened(service, countries("UG"))
    assert (await service.send(recipient_phone_number=UGANDA)).entry.status == messaging_pb2.SMS_STATUS_SENT
    quote = messaging_pb2.QuoteSmsRequest(user_id="user123", message="Habari", recipient_phone_number=UGANDA)
    await service.sms.QuoteSms(quote)
    for refused in (
        service.send(recipient_phone_number=KENYA),
        service.send(recipient_phone_number="+14155550123"),
        service.send(user_id="other", recipient_phone_number=UGANDA),
    ):
        error = await refusal_of(refused)
        assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "DESTINATION_NOT_ALLOWED")
        assert not any(number in error.message for number in (KENYA, UGANDA))
    for table in ("message", "idempotency", "dispatch"):
        assert len(await rows(database_url, f"SELECT 1 FROM {table} LIMIT 2")) <= 1, table
    await changed(service, "limits")
    assert (await refusal_of(service.send(recipient_phone_number=UGANDA))).reason == "DESTINATION_NOT_ALLOWED"


async def test_a_refusal_by_a_window_says_when_to_try_again(service: Running) -> None:
    await opened(service, pb.AccountLimits(otps_per_recipient_window=1))
    await service.send(tags=["otp"])
    error = await refusal_of(service.send(tags=["otp"]))
    assert (error.kind, error.reason, error.metadata["policy"]) == (
        Kind.OVERLOADED,
        "RECIPIENT_LIMIT_REACHED",
        "recipient-otps",
    )
    assert error.retry_after is not None
    assert 590 < error.retry_after.total_seconds() <= 600
