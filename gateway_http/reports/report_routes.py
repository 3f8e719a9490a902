"""The route of cost reports, whose answer is passed on as it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import structlog
from grpc import aio
from starlette.responses import Response, StreamingResponse

from gateway_http.reports.report_models import BASES, FORMATS, GROUPINGS, CsvReport, GroupBy, JsonReport
from gateway_http.reports.report_operations import REPORT_COSTS
from gateway_http.shared import reasons
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.query import choice, chosen, flag, period
from gateway_http.shared.request_body import ClientGoneError
from gateway_http.shared.route import RestRequest, RestRoutes, handles
from gateway_http.shared.upstream import Call, problem_of
from service_kit.csv_files.csv_writer import CsvStyle
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import reports_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.reports_pb2_grpc import ReportServiceAsyncStub


_READ = Call("messaging", timeout_s=600.0)
_NAIROBI = timedelta(hours=3)
"""From UTC; names of files have days of Nairobi, as reports do."""

log = structlog.get_logger()


class _CutShortError(ClientGoneError):
    """The rest of an answer cannot be read: the connection ends without it, which is how the client notices."""


class ReportRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, reports: ReportServiceAsyncStub) -> None:
        self._reports = reports

    @handles(REPORT_COSTS)
    async def costs(self, request: RestRequest) -> Response:
        """Answers with the report, piece by piece; a failure before the first piece is a problem document."""
        start, end = period(request.query)
        by = _groupings(request.query["groupBy"])
        kind = choice(request.query, "format", tuple(FORMATS)) or "json"
        bom, raw = flag(request.query, "bom"), flag(request.query, "raw")
        report = FORMATS[kind](by, CsvStyle(guarded=not raw, bom=bom))
        question = reports_pb2.ReportCostsRequest(
            period_start=start,
            period_end=end,
            group_by=[GROUPINGS[grouping] for grouping in by],
            user_id=request.query.get("userId"),
            basis=chosen(request.query, "basis", BASES, BASES["creation"]),
        )
        metadata = request.metadata_of(question)
        answers = aiter(self._reports.ReportCosts(question, timeout=_READ.timeout_s, metadata=metadata))
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
        raise invalid_fields([Violation("groupBy", reasons.INVALID_VALUE, problem)])
    if len(set(words)) < len(words):
        raise invalid_fields([Violation("groupBy", reasons.INVALID_VALUE, "has a grouping twice; give each once")])
    return cast("list[GroupBy]", words)
