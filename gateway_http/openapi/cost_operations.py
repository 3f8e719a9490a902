"""The documented operations of the cost tiers."""

from __future__ import annotations

from gateway_http.openapi import examples
from gateway_http.openapi.operation import Answer, Operation, query_parameter, reference
from gateway_http.routes.costs import COSTS, CURRENT, HISTORY, MAX_HISTORY_ROWS

TAG = "SMS costs"

_QUESTION = (
    query_parameter(
        "level",
        "The tier to ask at.",
        {"enum": ["TukuPay", "AppOwner", "SpecificCustomer", "DirectCustomer"]},
        required=True,
    ),
    query_parameter(
        "appId",
        "Required for AppOwner, refused for other levels.",
        {"type": "string", "minLength": 1, "maxLength": 64},
    ),
    query_parameter(
        "customerId",
        "Required for SpecificCustomer, refused for other levels.",
        {"type": "string", "minLength": 1, "maxLength": 64},
    ),
)
_DOWN = {503: ["PRICING_UNAVAILABLE", "DATABASE_UNAVAILABLE"], 504: ["PRICING_TIMEOUT"]}

OPERATIONS = (
    Operation(
        "post",
        COSTS,
        "addSmsCost",
        TAG,
        "Add or update an SMS cost",
        "Records a price from an instant on. Nothing is overwritten: the same level, entity and `effectiveFrom` "
        "again makes a new revision, the newest counts, and the history keeps them all.",
        answers={201: Answer("Recorded.", "RecordedCost", {"specificCustomer": examples.RECORDED_COST})},
        problems={
            503: ["PRICING_UNAVAILABLE", "PRICING_INTERRUPTED", "DATABASE_UNAVAILABLE"],
            504: ["PRICING_TIMEOUT"],
        },
        body="NewCost",
        body_examples={
            "specificCustomer": examples.SPECIFIC_CUSTOMER_COST,
            "defaultCustomer": examples.DEFAULT_CUSTOMER_COST,
        },
    ),
    Operation(
        "get",
        CURRENT,
        "getCurrentSmsCost",
        TAG,
        "Retrieve the current SMS cost",
        "The price that applies now when asked from a level: SpecificCustomer and AppOwner fall back to "
        "DirectCustomer, and that to TukuPay. The answer carries the level at which the price was found.",
        answers={
            200: Answer(
                "The price in effect.",
                "CurrentCost",
                {"specificCustomer": examples.CURRENT_SPECIFIC, "defaultCustomer": examples.CURRENT_DEFAULT},
            )
        },
        problems={404: ["NO_PRICE"], **_DOWN},
        parameters=_QUESTION,
    ),
    Operation(
        "get",
        HISTORY,
        "listSmsCosts",
        TAG,
        "List historical SMS costs",
        "Every recorded row of a level and entity, oldest `effectiveFrom` first. For SpecificCustomer also the "
        "DirectCustomer rows that applied before the customer's own. Follow the `Link` header for the next page.",
        answers={
            200: Answer(
                "The rows, oldest first.",
                {"type": "array", "items": reference("CostHistoryRow")},
                {"specificCustomer": examples.HISTORY},
                headers=("Link",),
            )
        },
        problems=_DOWN,
        parameters=(
            *_QUESTION,
            query_parameter(
                "limit",
                "Rows a page; 100 unless given.",
                {"type": "integer", "minimum": 1, "maximum": MAX_HISTORY_ROWS},
            ),
            query_parameter(
                "pageToken",
                "From the `Link` header of the page before, with the same level and entity.",
                {"type": "string", "minLength": 1},
            ),
        ),
    ),
)
