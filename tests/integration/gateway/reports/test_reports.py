"""Cost reports over REST."""

from __future__ import annotations

import csv
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from json import loads

import httpx
import pytest

from service_kit.csv_files.csv_cells import unguarded
from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import at
from tests.doubles.report_double import group
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import reports_pb2 as pb

COSTS = "/api/sms/reports/costs"
ASKED = {"from": "2024-12-01T00:00:00+03:00", "to": "2025-01-01T00:00:00+03:00", "groupBy": "day,app"}
SUMS = {"messages": 2, "units": 3, "charged": Decimal("2.4"), "refunded": Decimal("0.8"), "held": Decimal("0.000001")}


async def test_a_report_has_a_row_for_each_group_and_totals(running: Running) -> None:
    running.reports.pieces = [
        pb.ReportCostsResponse(groups=[group("2024-12-15", "shop")]),
        pb.ReportCostsResponse(groups=[group("2024-12-15", None), group("2024-12-16", "shop")]),
    ]
    response = await running.http.get(COSTS, params={**ASKED, "userId": "user123"})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert loads(response.text, parse_float=Decimal) == {
        "currency": "KES",
        "groupBy": ["day", "app"],
        "rows": [
            {"day": "2024-12-15", "appId": "shop", **SUMS},
            {"day": "2024-12-15", "appId": None, **SUMS},
            {"day": "2024-12-16", "appId": "shop", **SUMS},
        ],
        "totals": {"messages": 4, "units": 6, "charged": Decimal("4.8"), "refunded": 0, "held": 0},
    }
    assert running.reports.request == pb.ReportCostsRequest(
        period_start=at("2024-11-30T21:00:00Z"),
        period_end=at("2024-12-31T21:00:00Z"),
        group_by=[pb.COST_GROUPING_DAY, pb.COST_GROUPING_APP],
        user_id="user123",
        basis=pb.COST_BASIS_CREATION,
    )


async def test_a_report_may_be_of_what_was_booked_in_a_month(running: Running) -> None:
    running.reports.pieces = [pb.ReportCostsResponse()]
    asked = {"period": "2024-12", "groupBy": "account", "basis": "booking"}
    assert (await running.http.get(COSTS, params=asked)).status_code == 200
    assert running.reports.request == pb.ReportCostsRequest(
        period_start=at("2024-11-30T21:00:00Z"),
        period_end=at("2024-12-31T21:00:00Z"),
        group_by=[pb.COST_GROUPING_ACCOUNT],
        basis=pb.COST_BASIS_BOOKING,
    )
    refused = await running.http.get(COSTS, params=asked | {"basis": "acceptance"})
    assert [(error["field"], error["reason"]) for error in refused.json()["errors"]] == [("basis", "INVALID_VALUE")]


async def test_a_report_without_a_message_is_a_report(running: Running) -> None:
    running.reports.pieces = [pb.ReportCostsResponse()]
    assert (await running.http.get(COSTS, params=ASKED)).json()["rows"] == []


WORDS = [
    "=cmd|' /C calc'!A0",
    "+254712345678",
    "-1",
    "@SUM(A1)",
    '"quoted", and more',
    "two\nlines",
    "\tx",
    "＝1+1",
    "'=x",
]


async def report_as_csv(running: Running, **changes: str) -> tuple[httpx.Response, list[list[str]]]:
    running.reports.pieces = [pb.ReportCostsResponse(groups=[group(word, None) for word in WORDS])]
    asked = {**ASKED, "groupBy": "tag,level", "format": "csv", **changes}
    response = await running.http.get(COSTS, params=asked)
    return response, list(csv.reader(StringIO(response.text.removeprefix("\ufeff"), newline="")))


async def test_no_cell_of_a_csv_file_is_a_formula_and_every_one_is_read_back(running: Running) -> None:
    response, (head, *lines, _totals) = await report_as_csv(running)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert head == ["tag", "level", "messages", "units", "charged", "refunded", "held"]
    plain = {'"quoted", and more', "two\nlines"}
    assert [line[0] for line in lines] == [word if word in plain else f"'{word}" for word in WORDS]
    assert [unguarded(line[0]) for line in lines] == WORDS
    assert {tuple(line[1:]) for line in lines} == {("", "2", "3", "2.4", "0.8", "0.000001")}


async def test_csv_by_tag_ends_with_the_totals_because_its_rows_do_not_add_up(running: Running) -> None:
    _, lines = await report_as_csv(running)
    assert lines[-1] == ["TOTAL", "", "4", "6", "4.8", "0.0", "0.0"]
    _, lines = await report_as_csv(running, groupBy="app,level")
    assert lines[-1][0] == f"'{WORDS[-1]}"


async def test_csv_is_a_file_with_a_name_for_excel_or_for_programs_as_asked(running: Running) -> None:
    response, _ = await report_as_csv(running)
    assert response.headers["content-disposition"] == (
        'attachment; filename="costs-by-tag-level_2024-12-01_2025-01-01.csv"'
    )
    assert not response.text.startswith("\ufeff")
    for_excel, _ = await report_as_csv(running, bom="true")
    assert for_excel.text.startswith("\ufefftag,level")
    _, lines = await report_as_csv(running, raw="true")
    assert [line[0] for line in lines[1:-1]] == WORDS
    assert "content-disposition" not in (await running.http.get(COSTS, params=ASKED)).headers


async def test_levels_have_their_rest_names(running: Running) -> None:
    running.reports.pieces = [pb.ReportCostsResponse(groups=[group("direct_customer")])]
    rows = (await running.http.get(COSTS, params={**ASKED, "groupBy": "level"})).json()["rows"]
    assert rows[0]["level"] == "DirectCustomer"


async def test_a_report_of_many_groups_is_well_formed_whatever_pieces_it_comes_in(running: Running) -> None:
    running.reports.pieces = [
        pb.ReportCostsResponse(groups=[group(f"user{piece}-{place}", None) for place in range(piece % 7)])
        for piece in range(200)
    ]
    rows = (await running.http.get(COSTS, params=ASKED)).json()["rows"]
    assert len(rows) == sum(piece % 7 for piece in range(200))


async def test_a_report_that_is_cut_short_does_not_look_whole(running: Running) -> None:
    running.reports.pieces = [pb.ReportCostsResponse(groups=[group("a", "b")])]
    running.reports.breaks = True
    for kind in ("json", "csv"):
        with pytest.raises(httpx.RemoteProtocolError):
            await running.http.get(COSTS, params={**ASKED, "format": kind})
    running.reports.breaks = False
    assert (await running.http.get(COSTS, params=ASKED)).status_code == 200


async def test_a_failure_before_the_first_piece_is_a_problem(running: Running) -> None:
    running.reports.will_answer("ReportCosts", ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "away"))
    response = await running.http.get(COSTS, params=ASKED)
    assert (response.status_code, response.json()["reason"]) == (503, "DATABASE_UNAVAILABLE")


async def test_a_report_that_finds_no_turn_is_refused_with_the_time_to_come_back(running: Running) -> None:
    busy = ServiceError(Kind.OVERLOADED, "REPORTS_BUSY", "try again", retry_after=timedelta(seconds=15))
    running.reports.will_answer("ReportCosts", busy)
    response = await running.http.get(COSTS, params=ASKED)
    assert (response.status_code, response.json()["reason"]) == (429, "REPORTS_BUSY")
    assert response.headers["retry-after"] == "15"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"groupBy": "day,colour"}, "groupBy"),
        ({"groupBy": "day,day"}, "groupBy"),
        ({"groupBy": ","}, "groupBy"),
        ({"format": "xlsx"}, "format"),
        ({"format": "csv", "bom": "yes"}, "bom"),
        ({"format": "csv", "raw": "1"}, "raw"),
        ({"from": "2024-12-01"}, "from"),
        ({"by": "day"}, "by"),
    ],
)
async def test_requests_at_fault_name_the_field(running: Running, changes: dict[str, str], field: str) -> None:
    response = await running.http.get(COSTS, params={**ASKED, **changes})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert not running.reports.requests
