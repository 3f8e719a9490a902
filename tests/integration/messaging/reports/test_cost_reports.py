"""Rehearsals and audits over gRPC, on real databases, with the real price book."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from uuid_utils.compat import uuid7

from messaging_service.prices.client.book_client import BookClient
from messaging_service.prices.domain.book_prices import BookQuestion, DraftPrice
from messaging_service.reports.audit_costs import AuditCosts
from messaging_service.reports.domain.cost_audit import AuditTotals, CostException, PricedEntry, cause_of
from messaging_service.reports.domain.cost_rehearsal import Rehearsal
from messaging_service.reports.grpc.report_servicer import ReportServicer
from messaging_service.reports.postgres.traffic_rows import PostgresTraffic
from messaging_service.reports.rehearse_costs import RehearseCosts
from messaging_service.shared.postgres.report_turns import ReportTurns
from service_kit.errors import Kind
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.postgres.database import create_pool
from service_kit.settings import Address
from tests.doubles.written_book import minute
from tests.integration.messaging.running_service import refusal_of
from tests.integration.pricing.conftest import Pricing, pricing, pricing_url
from tests.unit.messaging.reports.test_cost_rehearsal import draft
from tukupay.sms.messaging.v1 import messaging_pb2, reports_pb2_grpc
from tukupay.sms.messaging.v1 import reports_pb2 as pb

REPORTS = "tukupay.sms.messaging.v1.ReportService"

__all__ = ["pricing", "pricing_url"]

_MESSAGE = """
    INSERT INTO message (id, account_id, client_message_id, app_id, recipient, text, sender_id, priority, encoding,
        units, price_cost_id, price_level, unit_price, total, state, billing, created_at, scheduled_at)
    VALUES (%(id)s, %(account)s, %(id)s, %(app)s, '+254712345678', 'text', 'TUKUPAY', 'normal', 'gsm7',
        %(units)s::int, %(cost)s, 'direct_customer', %(price)s::numeric, %(units)s::int * %(price)s::numeric,
        CASE %(billing)s::text WHEN 'released' THEN 'refused' ELSE 'accepted' END, %(billing)s,
        %(created)s, %(scheduled)s)
"""
_COST = """
    INSERT INTO cost (cost_id, level, entity, effective_from, revision, price, reason, created_by, recorded_at, epoch,
        withdrawn_at, withdrawn_by, withdrawn_reason, withdrawn_epoch)
    VALUES (%(id)s, %(level)s, %(entity)s, %(effective)s,
        (SELECT count(*) + 1 FROM cost WHERE (level, entity, effective_from) = (%(level)s, %(entity)s, %(effective)s)),
        %(price)s, 'agreed', 'amina', %(recorded)s, %(epoch)s,
        %(withdrawn)s, %(by)s, %(by)s, %(withdrawn_epoch)s)
"""


@dataclass
class Reports:
    """Both databases, both services, and the parts in between."""

    pricing: Pricing
    stub: reports_pb2_grpc.ReportServiceAsyncStub
    traffic: PostgresTraffic
    book: BookClient
    messaging_url: str
    pricing_url: str

    def messages(self, rows: Iterable[dict[str, Any]]) -> None:
        """Records messages as they would be on record."""
        usual = {"account": "amina", "app": None, "units": 1, "cost": "cost_1", "billing": "charged", "scheduled": None}
        with psycopg.connect(self.messaging_url, autocommit=True) as connection:
            for row in rows:
                filled = {"id": uuid7(), **usual, **row}
                connection.execute("INSERT INTO account (id) VALUES (%(account)s) ON CONFLICT DO NOTHING", filled)
                connection.execute(_MESSAGE.encode(), filled)

    def costs(self, rows: Iterable[dict[str, Any]]) -> None:
        """Records prices at instants in the past."""
        with psycopg.connect(self.pricing_url, autocommit=True) as connection:
            for number, row in enumerate(rows, start=1):
                withdrawn = row.get("withdrawn")
                filled = {
                    "id": f"cost_{number:032x}",
                    "entity": "",
                    "epoch": number,
                    "withdrawn": withdrawn,
                    "by": "amina" if withdrawn else None,
                    "withdrawn_epoch": 1_000 + number if withdrawn else None,
                }
                connection.execute(_COST.encode(), filled | row)

    async def audit(self, **fields: Any) -> tuple[list[pb.CostException], pb.AuditTotals]:
        """The exceptions and totals of a period of two hours."""
        request = pb.AuditCostsRequest(period_start=stamp(0), period_end=stamp(120), **fields)
        answers = [answer async for answer in self.stub.AuditCosts(request)]
        assert [answer.HasField("totals") for answer in answers] == [*[False] * (len(answers) - 1), True]
        assert not answers[-1].exceptions
        return [exception for answer in answers for exception in answer.exceptions], answers[-1].totals


def stamp(number: int) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(minute(number))
    return message


def drafted(price_micros: int, effective: int, **fields: Any) -> pb.DraftPrice:
    level = fields.pop("level", messaging_pb2.PRICE_LEVEL_DIRECT_CUSTOMER)
    return pb.DraftPrice(level=level, price_micros=price_micros, effective_from=stamp(effective), **fields)


@pytest.fixture
async def reports(database_url: str, pricing: Pricing, pricing_url: str) -> AsyncIterator[Reports]:
    server = GrpcServer(Address("127.0.0.1", 0), [REPORTS])
    async with create_pool(database_url, "reports", max_size=2) as pool:
        traffic = PostgresTraffic(ReportTurns(pool), page=7)
        book = BookClient(pricing.channel, timeout_s=20, now=lambda: datetime.now(UTC))
        servicer = ReportServicer(
            report=None,  # type: ignore[arg-type]  # no test here asks for what messages cost,
            reconcile=None,  # type: ignore[arg-type]  # about invoices,
            rehearse=RehearseCosts(traffic, book),
            audit=AuditCosts(traffic, book),
            price_copy=None,  # type: ignore[arg-type]  # or for the copy of the price book
        )
        reports_pb2_grpc.add_ReportServiceServicer_to_server(servicer, server.grpc)
        await server.start()
        try:
            async with open_channel(Address("127.0.0.1", server.port)) as channel:
                stub = reports_pb2_grpc.ReportServiceStub(channel)
                yield Reports(pricing, stub, traffic, book, database_url, pricing_url)
        finally:
            await server.stop(5)


async def test_an_audit_tells_a_late_entry_from_a_revision_and_from_a_price_from_nowhere(reports: Reports) -> None:
    reports.costs(
        [
            {"level": "DirectCustomer", "price": "0.8", "effective": minute(0), "recorded": minute(0)},
            {"level": "DirectCustomer", "price": "0.7", "effective": minute(0), "recorded": minute(50)},
            {"level": "SpecificCustomer", "entity": "baraka", "price": "0.5", "effective": minute(10),
             "recorded": minute(60)},
        ]
    )  # fmt: skip
    reports.messages(
        [
            {"account": "amina", "created": minute(20), "price": "0.8", "units": 3},
            {"account": "baraka", "created": minute(5), "price": "0.8", "billing": "released"},
            {"account": "baraka", "created": minute(30), "price": "0.8"},
            {"account": "chausiku", "created": minute(55), "price": "0.7"},
            {"account": "chausiku", "created": minute(56), "price": "0.9"},
            {"account": "chausiku", "created": minute(120), "price": "9"},
        ]
    )
    exceptions, totals = await reports.audit()
    assert [(each.user_id, pb.CostExceptionCause.Name(each.cause)[21:]) for each in exceptions] == [
        ("baraka", "REVISED_AFTER"),
        ("amina", "REVISED_AFTER"),
        ("baraka", "LATE_ENTRY"),
        ("chausiku", "MISPRICED"),
    ]
    revised = exceptions[1]
    assert (revised.recorded_micros, revised.known_then_micros, revised.known_now_micros) == (800_000, 800_000, 700_000)
    assert (revised.units, revised.recorded_cost_id) == (3, "cost_1")
    assert (totals.entries, totals.as_known_then, totals.as_known_now, totals.exceptions) == (5, 4, 1, 4)
    # Three units at -0.1, one at -0.3 and one at -0.2; the one that was released owes nothing.
    assert totals.difference_micros == -800_000
    exceptions, totals = await reports.audit(user_id="amina")
    assert (len(exceptions), totals.entries) == (1, 1)


async def test_a_withdrawn_price_and_a_missing_one_are_told(reports: Reports) -> None:
    reports.costs(
        [
            {"level": "DirectCustomer", "price": "0.8", "effective": minute(90), "recorded": minute(0),
             "withdrawn": minute(30)},
        ]
    )  # fmt: skip
    reports.messages(
        [
            {"created": minute(10), "scheduled": minute(100), "price": "0.8"},
            {"created": minute(11), "price": "0.8"},
        ]
    )
    exceptions, totals = await reports.audit()
    assert [pb.CostExceptionCause.Name(each.cause)[21:] for each in exceptions] == ["WITHDRAWN", "MISSING_ROW"]
    assert [each.HasField("known_then_micros") for each in exceptions] == [True, False]
    assert not any(each.HasField("known_now_micros") for each in exceptions)
    assert (totals.exceptions, totals.difference_micros) == (2, 0)


async def test_a_rehearsal_reports_by_customer_app_and_level(reports: Reports) -> None:
    reports.costs([{"level": "DirectCustomer", "price": "0.8", "effective": minute(0), "recorded": minute(0)}])
    reports.messages(
        [
            {"account": "amina", "created": minute(10), "price": "0.8", "units": 2},
            {"account": "amina", "created": minute(40), "price": "0.8"},
            {"account": "baraka", "app": "shop", "created": minute(40), "price": "0.8"},
            {"account": "baraka", "app": "shop", "created": minute(41), "price": "0.8", "billing": "released"},
            {"account": "baraka", "app": "shop", "created": minute(41), "scheduled": minute(500), "price": "0.8"},
        ]
    )
    answer = await reports.stub.RehearseCosts(
        pb.RehearseCostsRequest(
            drafts=[
                drafted(600_000, 30),
                drafted(2_000_000, 200, level=messaging_pb2.PRICE_LEVEL_APP_OWNER, app_id="shop"),
                drafted(100_000, 0, level=messaging_pb2.PRICE_LEVEL_TUKUPAY),
            ],
            period_start=stamp(0),
            period_end=stamp(120),
        )
    )

    def key_of(total: pb.RehearsedTotal) -> str | int:
        key: str | int = getattr(total, total.WhichOneof("key") or "user_id")
        return key

    def told(totals: Iterable[pb.RehearsedTotal]) -> list[tuple[str | int, int, int, int, int, int]]:
        return [
            (key_of(each), each.messages, each.units, each.old_micros, each.new_micros, each.difference_micros)
            for each in totals
        ]

    assert told([answer.total]) == [("", 4, 5, 4_000_000, 4_800_000, 800_000)]
    assert told(answer.by_customer) == [
        ("baraka", 2, 2, 1_600_000, 2_600_000, 1_000_000),
        ("amina", 2, 3, 2_400_000, 2_200_000, -200_000),
    ]
    assert [row[0] for row in told(answer.by_app)] == ["shop", ""]
    assert told(answer.by_level) == [
        (messaging_pb2.PRICE_LEVEL_APP_OWNER, 1, 1, 800_000, 2_000_000, 1_200_000),
        (messaging_pb2.PRICE_LEVEL_DIRECT_CUSTOMER, 3, 4, 3_200_000, 2_800_000, -400_000),
    ]
    assert answer.unpriced_messages == 0
    assert [(each.messages, each.units, each.new_micros) for each in answer.drafts] == [
        (2, 2, 1_200_000),
        (1, 1, 2_000_000),
        (0, 0, 0),
    ]
    other = answer.drafts[2].superseded_by
    assert (other.cost_id, other.level) == ("draft_0", messaging_pb2.PRICE_LEVEL_DIRECT_CUSTOMER)
    assert other.effective_from == stamp(30)


async def test_requests_at_fault_name_the_field(reports: Reports) -> None:
    period = {"period_start": stamp(0), "period_end": stamp(120)}
    wrong = pb.RehearseCostsRequest(drafts=[drafted(1, 0, customer_id="amina"), drafted(-1, 0)], **period)
    refusal = await refusal_of(reports.stub.RehearseCosts(wrong))
    assert refusal.kind is Kind.INVALID
    assert {violation.field[:9] for violation in refusal.violations} == {"drafts[0]", "drafts[1]"}
    refusal = await refusal_of(reports.stub.RehearseCosts(pb.RehearseCostsRequest(drafts=[pb.DraftPrice()], **period)))
    assert {violation.field for violation in refusal.violations} == {"drafts[0].level", "drafts[0].effective_from"}
    refusal = await refusal_of(reports.stub.RehearseCosts(pb.RehearseCostsRequest(drafts=[drafted(1, 0)])))
    assert {violation.field for violation in refusal.violations} == {"period_start", "period_end"}

    async def audited(**fields: Any) -> None:
        async for _ in reports.stub.AuditCosts(pb.AuditCostsRequest(**fields)):
            pass

    refusal = await refusal_of(audited(period_start=stamp(5), period_end=stamp(5)))
    assert [violation.field for violation in refusal.violations] == ["period_end"]


async def test_without_pricing_reports_say_so(reports: Reports) -> None:
    nowhere = open_channel(Address("127.0.0.1", 1))
    try:
        audit = AuditCosts(reports.traffic, BookClient(nowhere, timeout_s=5, now=lambda: datetime.now(UTC)))
        with pytest.raises(Exception, match="PRICING_UNAVAILABLE"):
            await anext(audit(minute(0), minute(120), None))
    finally:
        await nowhere.close()


async def test_pages_hold_every_entry_once_in_order_also_those_of_one_instant(reports: Reports) -> None:
    created = [minute(number // 20) for number in range(100)] + [minute(60 * 24 * 400)]
    reports.messages({"created": instant, "price": "1"} for instant in created)
    seen: list[PricedEntry] = []
    async for page in reports.traffic.entries(minute(-60 * 24 * 900), minute(60 * 24 * 900), None):
        assert 0 < len(page) <= 7
        seen.extend(page)
    assert [each.created_at for each in seen] == created
    assert len({each.id for each in seen}) == len(created)
    assert [(each.created_at, each.id) for each in seen] == sorted((each.created_at, each.id) for each in seen)


async def test_on_random_histories_both_reports_say_what_asking_for_each_message_says(reports: Reports) -> None:
    dice = random.Random(3)
    tiers = [("SpecificCustomer", "amina"), ("SpecificCustomer", "baraka"), ("AppOwner", "shop")]
    costs: list[dict[str, Any]] = []
    for number in range(40):
        level, entity = dice.choice([*tiers, ("DirectCustomer", ""), ("TukuPay", "")])
        recorded = minute(3 * number)
        effective = minute(dice.randrange(0, 120, 5))
        taken = dice.random() < 0.4 and effective > recorded + timedelta(minutes=2)
        costs.append(
            {
                "level": level,
                "entity": entity,
                "price": dice.choice(["0.6", "0.7", "0.8"]),
                "effective": effective,
                "recorded": recorded,
                "withdrawn": recorded + (effective - recorded) / 2 if taken else None,
            }
        )
    reports.costs(costs)
    reports.messages(
        {
            "account": dice.choice(["amina", "baraka", "chausiku"]),
            "app": dice.choice([None, "shop"]),
            "created": (created := minute(dice.randrange(120)) + timedelta(seconds=dice.randrange(60))),
            "scheduled": dice.choice([None, None, created + timedelta(minutes=dice.randrange(-5, 60))]),
            "price": dice.choice(["0.6", "0.7", "0.8"]),
            "units": dice.randint(1, 3),
            "billing": dice.choice(["charged", "charged", "released"]),
        }
        for _ in range(300)
    )
    present = await reports.book.present()
    entries = [each async for page in reports.traffic.entries(minute(0), minute(120), None) for each in page]

    found: list[CostException] = []
    totals: AuditTotals | None = None
    async for news in AuditCosts(reports.traffic, reports.book)(minute(0), minute(120), None):
        if isinstance(news, AuditTotals):
            totals = news
        else:
            found.extend(news)
    expected: list[tuple[Any, Any]] = []
    for each in entries:
        question = (each.account_id, each.app_id, each.price_instant)
        then, now = await reports.book.prices(
            [BookQuestion(*question, each.created_at), BookQuestion(*question, present)]
        )
        if (cause := cause_of(each, then, now)) is not None:
            expected.append((each.id, cause))
    assert [(each.entry.id, each.cause) for each in found] == expected
    assert len({cause for _, cause in expected}) >= 4
    assert totals is not None
    assert (totals.entries, totals.exceptions) == (len(entries), len(expected))

    drafts: list[DraftPrice] = [draft("1.5", 40, customer_id="amina"), draft("0.1", 70)]
    naive = Rehearsal()
    for each in entries:
        if each.is_charged:
            asked = BookQuestion(each.account_id, each.app_id, each.price_instant, present)
            (price,) = await reports.book.prices([asked], drafts)
            if price is None:
                naive.unpriced_messages += 1
            else:
                naive.total.add(1, each.units, each.price.total(each.units), price.price.total(each.units))
    rehearsal = await RehearseCosts(reports.traffic, reports.book)(drafts, minute(0), minute(120))
    assert rehearsal.total == naive.total
    assert rehearsal.unpriced_messages == naive.unpriced_messages
    for parts in (rehearsal.by_customer, rehearsal.by_app, rehearsal.by_level):
        assert sum((part.new for part in parts.values()), Decimal(0)) == rehearsal.total.new
