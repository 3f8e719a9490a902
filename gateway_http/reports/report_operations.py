"""The documented operation of cost reports."""

from __future__ import annotations

from gateway_http.openapi.operation import READ_FAILURES, Answer, Operation, Tag
from gateway_http.openapi.parameters import ONE_LINE, PERIOD_PARAMETERS, query_parameter
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls
from gateway_http.reports.report_models import BASES, FORMATS, GROUPINGS, CostReport

TAG = Tag("Reports", "What messages cost, by groups.")

_WORDS = "|".join(GROUPINGS)
_SUMS: Json = {"messages": 2, "units": 3, "charged": 2.4, "refunded": 0.8, "held": 0.0}

REPORT_COSTS = Operation(
    "get",
    "/api/sms/reports/costs",
    "reportCosts",
    TAG,
    "Report what messages cost",
    "Messages, units and money of the messages that were created in a period, by groups. What was charged and "
    "refunded comes from the ledger. With `tag` a message counts in the group of each of its tags, so that the rows "
    "add up to more than `totals`, which count every message once.\n\nThe answer comes piece by piece, however long it "
    "is, and is to be read without pauses: it is cut off when the reader lets it wait for more than 15 seconds in all, "
    "plus half a second for each thousand rows, because others wait for its connection. When it ends early, the "
    "connection ends without the last piece: JSON without its closing brace, chunked transfer without its last "
    "chunk.",
    access=calls("ReportService/ReportCosts"),
    answers={
        200: Answer(
            "The report.",
            CostReport,
            {
                "byDayAndApp": {
                    "currency": "KES",
                    "groupBy": ["day", "app"],
                    "rows": [
                        {"day": "2024-12-15", "appId": "shop", **_SUMS},
                        {"day": "2024-12-15", "appId": None, **_SUMS},
                    ],
                    "totals": {"messages": 4, "units": 6, "charged": 4.8, "refunded": 1.6, "held": 0.0},
                }
            },
            others={
                "text/csv": "day,appId,messages,units,charged,refunded,held\r\n2024-12-15,shop,2,3,2.4,0.8,0.0\r\n"
            },
        )
    },
    problems={
        429: ["REPORTS_BUSY"],
        **READ_FAILURES,
    },
    parameters=(
        *PERIOD_PARAMETERS,
        query_parameter(
            "groupBy",
            f"One or more of `{'`, `'.join(GROUPINGS)}`, separated by commas, each once.",
            {"type": "string", "pattern": f"^({_WORDS})(,({_WORDS}))*$", "examples": ["day,account"]},
            required=True,
        ),
        query_parameter(
            "basis",
            "What the period is about. `creation`: messages that were created in it, with all that was charged and "
            "refunded for them, whenever it was. `booking`: charges and refunds that were booked in it, as "
            "statements have them; each charge counts as a message, nothing is held, and a "
            "period no longer changes once it has been over for a minute.",
            {"enum": list(BASES), "default": "creation"},
        ),
        query_parameter("userId", "Only this account.", ONE_LINE),
        query_parameter(
            "format",
            "In CSV, text that a spreadsheet would read as a formula is prefixed with `'`. It has no totals: its "
            "rows add up. By `tag`, where they do not, its last line has `TOTAL` in the first column.",
            {"enum": list(FORMATS), "default": "json"},
        ),
        query_parameter(
            "bom",
            "Whether CSV begins with the byte order mark by which Excel recognises UTF-8.",
            {"enum": ["true", "false"]},
        ),
        query_parameter("raw", "Whether CSV is for programs: without the `'`.", {"enum": ["true", "false"]}),
    ),
)
