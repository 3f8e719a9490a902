"""Cost reports and exports over gRPC, of messages that were really sent, charged, refunded and resent."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.accounts.domain.ledger import EntryKind
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.reports.grpc.report_servicer import ReportServicer
from messaging_service.reports.postgres.cost_records import PostgresCostRecords
from messaging_service.reports.postgres.invoice_records import PostgresInvoiceRecords
from messaging_service.reports.reconcile_invoice import ReconcileInvoice
from messaging_service.reports.report_costs import ReportCosts
from messaging_service.sending.outbox import Claim
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.money import Price, PriceLevel, from_micros
from messaging_service.shared.postgres.report_turns import ReportTurns
from service_kit.audit.actor import PLATFORM
from service_kit.errors import Kind
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.months import month
from service_kit.postgres.database import create_pool
from service_kit.settings import Address
from tests.contract.sms_examples import TWO_UNITS, acceptance, accepted, refused
from tests.integration.messaging.conftest import record, sent, settle
from tests.integration.messaging.running_service import refusal_of
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import messaging_pb2, reports_pb2_grpc
from tukupay.sms.messaging.v1 import reports_pb2 as pb

REPORTS = "tukupay.sms.messaging.v1.ReportService"

MONTHS = ("2026-10", "2026-11", "2026-12", "2027-01")
CHARGE, REFUND = EntryKind.CHARGE, EntryKind.REFUND
CHEAP = Price(Decimal("0.333333"), "cost_2", PriceLevel.SPECIFIC_CUSTOMER)
DAY, ACCOUNT, APP = pb.COST_GROUPING_DAY, pb.COST_GROUPING_ACCOUNT, pb.COST_GROUPING_APP
SENDER, LEVEL, CARRIER, TAG = (
    pb.COST_GROUPING_SENDER,
    pb.COST_GROUPING_LEVEL,
    pb.COST_GROUPING_CARRIER,
    pb.COST_GROUPING_TAG,
)


@dataclass
class Reports:
    """The service over a database, and the books beside it."""

    stub: reports_pb2_grpc.ReportServiceAsyncStub
    books: PostgresLedgerStore
    url: str

    async def costs(self, *by: pb.CostGrouping.ValueType, **fields: Any) -> tuple[dict[Any, tuple[int, ...]], Any]:
        """Sums by keys, in the order that they came in, and the totals."""
        request = pb.ReportCostsRequest(**(period() | {"group_by": by} | fields))
        answers = [answer async for answer in self.stub.ReportCosts(request)]
        assert [answer.HasField("totals") for answer in answers] == [*[False] * (len(answers) - 1), True]
        found = {}
        for answer in answers:
            for group in answer.groups:
                keys = tuple(key.value if key.HasField("value") else None for key in group.keys)
                assert keys not in found
                found[keys if len(keys) > 1 else keys[0]] = figures(group.sums)
        return found, figures(answers[-1].totals)

    async def export(self, **fields: Any) -> list[pb.ExportedMessage]:
        request = pb.ExportMessagesRequest(**(period() | fields))
        return [message async for answer in self.stub.ExportMessages(request) for message in answer.messages]


def figures(sums: pb.CostSums) -> tuple[int, ...]:
    return (sums.messages, sums.units, sums.charged_micros, sums.refunded_micros, sums.held_micros)


def stamp(instant: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def period(start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "period_start": stamp(start or now - timedelta(days=2)),
        "period_end": stamp(end or now + timedelta(days=2)),
    }


@pytest.fixture
async def reports(database_url: str) -> AsyncIterator[Reports]:
    server = GrpcServer(Address("127.0.0.1", 0), [REPORTS])
    async with create_pool(database_url, "reports", max_size=2) as pool:
        room = ReportTurns(pool)
        servicer = ReportServicer(
            report=ReportCosts(PostgresCostRecords(room, page=3)),
            reconcile=ReconcileInvoice(PostgresInvoiceRecords(room, page=3), ["at"]),
            rehearse=None,  # type: ignore[arg-type]  # no test here asks what prices mean for traffic
            audit=None,  # type: ignore[arg-type]
            price_copy=None,  # type: ignore[arg-type]
        )
        reports_pb2_grpc.add_ReportServiceServicer_to_server(servicer, server.grpc)
        await server.start()
        try:
            async with open_channel(Address("127.0.0.1", server.port)) as channel:
                yield Reports(reports_pb2_grpc.ReportServiceStub(channel), PostgresLedgerStore(pool), database_url)
        finally:
            await server.stop(5)


async def created(url: str, message_id: UUID, at: datetime) -> None:
    await rows(url, "UPDATE message SET created_at = %s WHERE id = %s", (at, message_id))


async def test_every_grouping_sums_messages_units_and_what_the_ledger_says(reports: Reports, outbox: Replica) -> None:
    await sent(outbox, accepted(), user_id="amina", app_id="shop", tags=("otp",))
    await sent(outbox, accepted("a", "b", carrier="at"), message=TWO_UNITS, user_id="amina", price=CHEAP)
    paid_back = await sent(outbox, accepted(), user_id="baraka", sender_id="22141", tags=("otp", "vip"))
    await reports.books.refund(paid_back.id, "it never arrived", "wanjiru", actor=PLATFORM)
    await sent(outbox, refused(), user_id="baraka", message=TWO_UNITS)
    await record(outbox, acceptance(user_id="baraka"))
    amina, baraka = (2, 3, 1_266_666, 0, 0), (3, 4, 600_000, 600_000, 600_000)
    everything = (5, 7, 1_866_666, 600_000, 600_000)
    assert await reports.costs(ACCOUNT) == ({"amina": amina, "baraka": baraka}, everything)
    assert (await reports.costs(APP))[0] == {"shop": (1, 1, 600_000, 0, 0), None: (4, 6, 1_266_666, 600_000, 600_000)}
    assert (await reports.costs(SENDER))[0]["22141"] == (1, 1, 600_000, 600_000, 0)
    assert (await reports.costs(LEVEL))[0]["specific_customer"] == (1, 2, 666_666, 0, 0)
    assert (await reports.costs(CARRIER))[0] == {
        "at": (1, 2, 666_666, 0, 0),
        "smpp": (3, 4, 1_200_000, 600_000, 0),
        None: (1, 1, 0, 0, 600_000),
    }
    by_two, _ = await reports.costs(ACCOUNT, CARRIER)
    assert list(by_two) == [("amina", "at"), ("amina", "smpp"), ("baraka", "smpp"), ("baraka", None)]
    assert await reports.costs(ACCOUNT, user_id="amina") == ({"amina": amina}, amina)
    assert await reports.costs(DAY, user_id="nobody") == ({}, (0, 0, 0, 0, 0))


async def test_what_was_booked_in_a_month_is_what_its_statement_has_and_does_not_change_any_more(
    reports: Reports, outbox: Replica
) -> None:
    october, november, december, january = (start for start, _ in map(month, MONTHS))
    moment = timedelta(milliseconds=100)

    async def booked(message_id: UUID, kind: str, at: datetime) -> None:
        change = "UPDATE ledger_entry SET created_at = %s WHERE message_id = %s AND kind = %s"
        await rows(reports.url, change, (at, message_id, kind))

    # Created in the last moment of October and charged in the first of November.
    late = await sent(outbox, accepted("a", "b"), message=TWO_UNITS, tags=("otp", "vip"))
    await created(reports.url, late.id, november - moment)
    await booked(late.id, "charge", november + moment)
    early = await sent(outbox, accepted(), tags=("otp",))
    await created(reports.url, early.id, october)
    await booked(early.id, "charge", october)
    await record(outbox, acceptance())

    async def of(start: datetime, end: datetime, *by: pb.CostGrouping.ValueType) -> tuple[dict[Any, Any], Any]:
        fields = {"period_start": stamp(start), "period_end": stamp(end), "basis": pb.COST_BASIS_BOOKING}
        return await reports.costs(*by, user_id="user123", **fields)

    async def statement(start: datetime, end: datetime) -> tuple[Decimal, Decimal]:
        totals = (await reports.books.statement("user123", start, end)).totals
        return tuple(totals[kind].amount if kind in totals else Decimal(0) for kind in (CHARGE, REFUND))  # type: ignore[return-value]  # two

    assert await of(october, november, DAY) == ({"2026-10-01": (1, 1, 600_000, 0, 0)}, (1, 1, 600_000, 0, 0))
    assert await of(november, december, TAG) == (
        {"otp": (1, 2, 1_200_000, 0, 0), "vip": (1, 2, 1_200_000, 0, 0)},
        (1, 2, 1_200_000, 0, 0),
    )
    await reports.books.refund(early.id, "it never arrived", "wanjiru", actor=PLATFORM)
    await booked(early.id, "refund", december)
    assert (await of(october, november, DAY))[1] == (1, 1, 600_000, 0, 0)
    assert await of(december, january, DAY, ACCOUNT) == (
        {("2026-12-01", "user123"): (0, 0, 0, 600_000, 0)},
        (0, 0, 0, 600_000, 0),
    )
    for start, end in ((october, november), (november, december), (december, january)):
        _, (_, _, charged, refunded, _) = await of(start, end, ACCOUNT)
        assert (-from_micros(charged), from_micros(refunded)) == await statement(start, end)
    # By creation, what came later counts.
    by_creation = {"period_start": stamp(october), "period_end": stamp(november)}
    assert (await reports.costs(ACCOUNT, **by_creation))[1] == (2, 3, 1_800_000, 600_000, 0)
    error = await refusal_of(reports.costs(ACCOUNT, basis=9))
    assert [violation.field for violation in error.violations] == ["basis"]


async def test_a_message_counts_once_in_the_group_of_each_tag_and_once_in_the_totals(
    reports: Reports, outbox: Replica
) -> None:
    await sent(outbox, accepted(), tags=("otp", "vip"))
    twice = await sent(outbox, accepted(), tags=("otp",))
    await sent(outbox, accepted())
    await rows(reports.url, "UPDATE message SET tags = '{otp,otp}' WHERE id = %s", (twice.id,))
    groups, totals = await reports.costs(TAG)
    assert groups == {
        "otp": (2, 2, 1_200_000, 0, 0),
        "vip": (1, 1, 600_000, 0, 0),
        None: (1, 1, 600_000, 0, 0),
    }
    assert totals == (3, 3, 1_800_000, 0, 0)


async def test_a_message_that_was_resent_counts_once_with_all_its_charges(reports: Reports, outbox: Replica) -> None:
    message = await sent(outbox, accepted())
    await rows(reports.url, "UPDATE message SET state = 'undelivered' WHERE id = %s", (message.id,))
    await outbox.resend(message.id, 3, accounts=None)
    (claim,) = await outbox.claim(10)
    await settle(outbox, claim, accepted())
    assert (await reports.costs(ACCOUNT))[1] == (1, 1, 1_200_000, 0, 0)
    (exported,) = await reports.export()
    assert (exported.charged_micros, exported.units) == (1_200_000, 1)


async def test_days_are_those_of_nairobi_and_periods_are_half_open(reports: Reports, outbox: Replica) -> None:
    midnight = datetime(2026, 3, 1, 21, tzinfo=UTC)  # the first instant of 2 March in Nairobi
    for seconds in (-1, 0, 1):
        message = await sent(outbox, accepted())
        await created(reports.url, message.id, midnight + timedelta(seconds=seconds))
    groups, _ = await reports.costs(DAY, **period(midnight - timedelta(days=1), midnight + timedelta(days=1)))
    assert {day: sums[0] for day, sums in groups.items()} == {"2026-03-01": 1, "2026-03-02": 2}
    _, totals = await reports.costs(DAY, **period(midnight - timedelta(seconds=1), midnight))
    assert totals[0] == 1


async def test_an_export_has_every_message_once_and_adds_up_to_the_report(reports: Reports, outbox: Replica) -> None:
    same = datetime.now(UTC) - timedelta(hours=1)
    ids = []
    for place in range(11):
        outcome = accepted("x", carrier="at") if place % 3 else refused()
        message = await record(outbox, acceptance(claimed=True, user_id=f"user{place % 2}", app_id="shop"))
        await settle(outbox, Claim(message, 1, 0, 0.0), outcome)
        await created(reports.url, message.id, same if place < 8 else same + timedelta(seconds=place))
        ids.append(outbox_id(message.id))
    exported = await reports.export()
    assert sorted(message.outbox_id for message in exported) == sorted(ids)
    assert [message.created_time.ToDatetime() for message in exported] == sorted(
        message.created_time.ToDatetime() for message in exported
    )
    groups, _ = await reports.costs(ACCOUNT)
    charged: Counter[str] = Counter()
    for each in exported:
        charged[each.user_id] += each.charged_micros
    assert {user: sums[2] for user, sums in groups.items()} == charged
    one = exported[0]
    assert (one.app_id, one.recipient_phone_number, one.sender_id) == ("shop", "+254712345678", "TUKUPAY")
    failed = [message for message in exported if message.delivery_state == messaging_pb2.DELIVERY_STATE_REFUSED]
    assert {message.error_code for message in failed} == {"INVALID_RECIPIENT"}
    assert not any(message.HasField("sent_time") for message in failed)
    assert len(await reports.export(user_id="user1")) == 5


async def test_an_export_shows_what_the_carrier_says_it_took_and_costs(reports: Reports, outbox: Replica) -> None:
    message = await sent(outbox, accepted("ATXid_1", carrier="at"))
    statement = "UPDATE message_event SET carrier_parts = 2, carrier_cost = 0.8 WHERE message_id = %s AND %s = to_state"
    await rows(reports.url, statement, (message.id, "accepted"))
    (exported,) = await reports.export()
    assert (exported.carrier, exported.carrier_parts, exported.carrier_cost_micros) == ("at", 2, 800_000)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"group_by": []}, "group_by"),
        ({"group_by": [DAY, DAY]}, "group_by"),
        ({"group_by": [DAY, 99]}, "group_by[1]"),
        ({"group_by": [0]}, "group_by[0]"),
        ({"period_end": stamp(datetime(2020, 1, 1, tzinfo=UTC))}, "period_end"),
        ({"user_id": ""}, "user_id"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_field(reports: Reports, changes: dict[str, Any], field: str) -> None:
    request = pb.ReportCostsRequest(**(period() | {"group_by": [DAY]} | changes))
    error = await refusal_of(anext(aiter(reports.stub.ReportCosts(request))))
    assert (error.kind, [violation.field for violation in error.violations]) == (Kind.INVALID, [field])


async def test_a_reader_who_leaves_gives_the_connection_back(reports: Reports, outbox: Replica) -> None:
    for place in range(30):
        await sent(outbox, accepted(), user_id=f"user{place}")
    for _ in range(5):
        call = reports.stub.ReportCosts(pb.ReportCostsRequest(**(period() | {"group_by": [ACCOUNT]})))
        assert (await anext(aiter(call))).groups
        call.cancel()
    assert (await reports.costs(ACCOUNT))[1][0] == 30
