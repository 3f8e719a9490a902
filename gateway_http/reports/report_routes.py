"""The route of cost reports, whose answer is passed on as it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import structlog
from grpc import aio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway_http.reports.report_models import BASES, FORMATS, GROUPINGS, CsvReport, GroupBy, JsonReport
from gateway_http.shared.json_answer import call_metadata
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.query import PERIOD, choice, parameters, period
from gateway_http.shared.request_body import ClientGoneError
from gateway_http.shared.upstream import Call, problem_of
from service_kit.csv_files.csv_writer import CsvStyle
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import reports_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.reports_pb2_grpc import ReportServiceAsyncStub

COSTS = "/api/sms/reports/costs"

_READ = Call("messaging")
_TIMEOUT_S = 600.0
_NAIROBI = timedelta(hours=3)
"""From UTC; names of files have days of Nairobi, as reports do."""

log = structlog.get_logger()


class _CutShortError(ClientGoneError):
    """The rest of an answer cannot be had: the connection ends without it, which tells the client."""


class ReportRoutes:
    """Speaks to the messaging service."""

    def __init__(self, reports: ReportServiceAsyncStub) -> None:
        self._reports = reports

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [Route(COSTS, self.costs, methods=["GET"])]

    async def costs(self, request: Request) -> Response:
        """Answers with the report, piece by piece; a failure before the first piece is a problem document."""
        known = (*PERIOD, "groupBy", "userId", "basis", "format", "bom", "raw")
        values = parameters(request.scope["query_string"], known, required=("groupBy",))
        start, end = period(values)
        by = _groupings(values["groupBy"])
        kind = choice(values, "format", tuple(FORMATS)) or "json"
        flags = {name: choice(values, name, ("true", "false")) == "true" for name in ("bom", "raw")}
        report = FORMATS[kind](by, CsvStyle(guarded=not flags["raw"], bom=flags["bom"]))
        question = reports_pb2.ReportCostsRequest(
            period_start=start,
            period_end=end,
            group_by=[GROUPINGS[grouping] for grouping in by],
            user_id=values.get("userId"),
            basis=BASES[choice(values, "basis", tuple(BASES)) or "creation"],
        )
        answers = aiter(self._reports.ReportCosts(question, timeout=_TIMEOUT_S, metadata=call_metadata(request)))
        try:
            first = await anext(answers)
        except aio.AioRpcError as error:
            raise problem_of(error, _READ) from error
        headers = {}
        if kind == "csv":
            days = "_".join((moment.ToDatetime() + _NAIROBI).date().isoformat() for moment in (start, end))
            headers["Content-Disposition"] = f'attachment; filename="costs-by-{"-".join(by)}_{days}.csv"'
        return StreamingResponse(_pieces(report, first, answers), media_type=report.media_type, headers=headers)


async def _pieces(
    report: JsonReport | CsvReport,
    first: reports_pb2.ReportCostsResponse,
    answers: AsyncIterator[reports_pb2.ReportCostsResponse],
) -> AsyncIterator[bytes]:
    yield report.head()
    answer: reports_pb2.ReportCostsResponse | None = first
    try:
        while answer is not None:
            if answer.groups:
                yield report.rows(answer.groups)
            if answer.HasField("totals"):
                yield report.end(answer.totals)
            answer = await anext(answers, None)
    except aio.AioRpcError as error:
        log.warning("report.cut_short", code=error.code().name)
        raise _CutShortError from error


def _groupings(text: str) -> Sequence[GroupBy]:
    words = text.split(",")
    if unknown := [word for word in words if word not in GROUPINGS]:
        known = ", ".join(GROUPINGS)
        problem = f"has {unknown[0][:50]!r}, which is no grouping; give one or more of {known}, separated by commas"
        raise invalid_fields([Violation("groupBy", "INVALID_VALUE", problem)])
    if len(set(words)) < len(words):
        raise invalid_fields([Violation("groupBy", "INVALID_VALUE", "has a grouping twice; give each once")])
    return cast("list[GroupBy]", words)
