"""What apps say of their codes, and the conversion that comes of it, over gRPC and PostgreSQL."""

from __future__ import annotations

import pytest

from messaging_service.abuse.postgres.postgres_feedback import PostgresAbuseCounts
from service_kit.postgres.database import create_pool
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import accounts_pb2, feedback_pb2_grpc
from tukupay.sms.messaging.v1 import feedback_pb2 as pb

pytestmark = pytest.mark.timeout(60)

VERIFIED = pb.FEEDBACK_OUTCOME_VERIFIED
NOT_VERIFIED = pb.FEEDBACK_OUTCOME_NOT_VERIFIED
KEEP_S = 8 * 86_400.0


class Codes:
    """The service's feedback, in few words."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.stub = feedback_pb2_grpc.FeedbackServiceStub(service.channel)

    async def sent(self, phone: str = "+254712345678", tag: str = "otp") -> str:
        return (await self.service.send(recipient_phone_number=phone, tags=[tag])).entry.outbox_id

    async def told(self, outbox_id: str, outcome: pb.FeedbackOutcome.ValueType = VERIFIED) -> bool:
        request = pb.RecordFeedbackRequest(outbox_id=outbox_id, outcome=outcome)
        return (await self.stub.RecordFeedback(request)).replayed

    async def conversion(self, **fields: int) -> pb.GetConversionResponse:
        return await self.stub.GetConversion(pb.GetConversionRequest(user_id="user123", **fields))


@pytest.fixture
def codes(service: Running) -> Codes:
    return Codes(service)


def counts(block: pb.BlockConversion) -> tuple[str, int, int, int, int]:
    return block.block, block.sent, block.refused, block.verified, block.not_verified


async def test_conversion_counts_what_came_back_by_block_of_numbers(codes: Codes) -> None:
    ids = [await codes.sent(f"+25471234567{last}") for last in range(3)]
    other = await codes.sent("+254722000111")
    assert await codes.told(ids[0]) is False
    await codes.told(ids[1], NOT_VERIFIED)
    await codes.told(other)
    found = await codes.conversion()
    assert [counts(block) for block in found.blocks] == [
        ("+254712345", 3, 0, 1, 1),
        ("+254722000", 1, 0, 1, 0),
    ]
    assert counts(found.total) == ("", 4, 0, 2, 1)
    assert [counts(block)[0] for block in (await codes.conversion(limit=1)).blocks] == ["+254712345"]


async def test_the_same_again_counts_once_and_another_outcome_takes_its_place(codes: Codes) -> None:
    outbox_id = await codes.sent()
    assert [await codes.told(outbox_id, NOT_VERIFIED) for _ in range(3)] == [False, True, True]
    assert counts((await codes.conversion()).total)[3:] == (0, 1)
    assert [await codes.told(outbox_id) for _ in range(2)] == [False, True]
    assert counts((await codes.conversion()).total)[3:] == (1, 0)


async def test_what_is_said_of_other_messages_is_refused(codes: Codes, database_url: str) -> None:
    assert (await refusal_of(codes.told("outbox_" + "0" * 32))).reason == "OUTBOX_ENTRY_NOT_FOUND"
    outbox_id = await codes.sent()
    fault = await refusal_of(codes.told(outbox_id, pb.FEEDBACK_OUTCOME_UNSPECIFIED))
    assert [(each.field, each.reason) for each in fault.violations] == [("outcome", "INVALID_VALUE")]
    await rows(database_url, "UPDATE message SET created_at = created_at - interval '7 days 1 minute'")
    assert (await refusal_of(codes.told(outbox_id))).reason == "FEEDBACK_TOO_LATE"
    assert await rows(database_url, "SELECT 1 FROM message_feedback") == []


async def test_a_block_that_looks_pumped_comes_first_and_says_since_when(codes: Codes) -> None:
    await codes.service.accounts.OpenAccount(
        accounts_pb2.OpenAccountRequest(
            user_id="user123",
            mode=accounts_pb2.ACCOUNT_MODE_POSTPAID,
            limits=accounts_pb2.AccountLimits(pumping=accounts_pb2.PUMPING_GUARD_BLOCK),
        )
    )
    for _ in range(20):
        await codes.sent("+254722000111", tag="news")
    for place in range(9):
        phone = f"+25471234500{place}"
        if place < 7:
            await codes.sent(phone)
        else:
            assert (await refusal_of(codes.sent(phone))).reason == "PUMPING_SUSPECTED"
    pumped, usual = (await codes.conversion(hours=1)).blocks
    assert counts(pumped) == ("+254712345", 7, 2, 0, 0)
    assert (pumped.HasField("suspected_time"), usual.HasField("suspected_time")) == (True, False)


async def test_questions_out_of_range_are_refused(codes: Codes) -> None:
    fault = await refusal_of(codes.conversion(hours=169, limit=-1))
    assert [(each.field, each.reason) for each in fault.violations] == [
        ("hours", "OUT_OF_RANGE"),
        ("limit", "OUT_OF_RANGE"),
    ]
    empty = await codes.conversion(hours=168)
    assert (list(empty.blocks), empty.HasField("period_start")) == ([], True)


async def test_counts_are_forgotten_when_nothing_asks_for_them_any_more(codes: Codes, database_url: str) -> None:
    outbox_id = await codes.sent()
    await codes.told(outbox_id)
    async with create_pool(database_url, "retention") as pool:
        counted = PostgresAbuseCounts(pool)
        assert await counted.forget(KEEP_S, 10) == 0
        tables = ("number_block", "number_block_hour", "message_feedback")
        for statement in (
            "UPDATE number_block SET last_at = last_at - interval '21 minutes'",
            "UPDATE number_block_hour SET hour = hour - interval '8 days 1 hour'",
            "UPDATE message_feedback SET given_at = given_at - interval '8 days 1 hour'",
        ):
            await rows(database_url, statement)
        assert await counted.forget(KEEP_S, 10) == 1
    for table in tables:
        assert await rows(database_url, f"SELECT 1 FROM {table}") == [], table
