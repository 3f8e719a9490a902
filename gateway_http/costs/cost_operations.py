"""The documented operations of the cost tiers."""

from __future__ import annotations

from gateway_http.costs import cost_examples
from gateway_http.costs.cost_models import CostHistoryRow, CurrentCost, NewCost, NewWithdrawal, RecordedCost
from gateway_http.costs.price_models import ResolvedPrice
from gateway_http.openapi.operation import Answer, BodyOperation, Many, Operation, Tag
from gateway_http.openapi.parameters import (
    INSTANT,
    ONE_LINE,
    key_parameter,
    page_parameters,
    path_parameter,
    query_parameter,
)
from gateway_http.openapi.route_access import calls

TAG = Tag("SMS costs", "What one SMS unit costs, for whom, and since when.")

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
        ONE_LINE,
    ),
    query_parameter(
        "customerId",
        "Required for SpecificCustomer, refused for other levels.",
        ONE_LINE,
    ),
)
_READ_FAILURES = {503: ["PRICING_UNAVAILABLE", "DATABASE_UNAVAILABLE"], 504: ["PRICING_TIMEOUT"]}
_WRITE_FAILURES = {
    503: ["PRICING_UNAVAILABLE", "PRICING_INTERRUPTED", "DATABASE_UNAVAILABLE"],
    504: ["PRICING_TIMEOUT"],
}

ADD_SMS_COST = BodyOperation(
    "post",
    "/api/sms-costs",
    "addSmsCost",
    TAG,
    "Add or update an SMS cost",
    "Records a price from an instant on. Nothing is overwritten: the same level, entity and `effectiveFrom` "
    "again makes a new revision, the newest counts, and the history keeps them all. With an `Idempotency-Key` "
    "the same request again makes no second row: it answers **200** with the row and the header "
    "`Idempotent-Replay: true`. A price or a date that is unusual for the level is refused (`PRICE_GUARD`) "
    "unless `overrideGuards` says that it is meant.",
    access=calls("PricingService/SetCost"),
    answers={
        200: Answer(
            "Recorded before, under the same `Idempotency-Key`.",
            RecordedCost,
            {"specificCustomer": cost_examples.RECORDED_COST},
            headers=("Idempotent-Replay",),
        ),
        201: Answer(
            "Recorded.",
            RecordedCost,
            {"specificCustomer": cost_examples.RECORDED_COST, "guardsOverridden": cost_examples.OVERRIDDEN_COST},
        ),
    },
    problems={
        409: ["PRICE_GUARD", "IDEMPOTENCY_KEY_REUSED"],
        **_WRITE_FAILURES,
    },
    body=NewCost,
    body_examples={
        "specificCustomer": cost_examples.SPECIFIC_CUSTOMER_COST,
        "defaultCustomer": cost_examples.DEFAULT_CUSTOMER_COST,
    },
    parameters=(key_parameter("Your name for this request, 1 to 128 printable characters."),),
)

GET_CURRENT_SMS_COST = Operation(
    "get",
    "/api/sms-costs/current",
    "getCurrentSmsCost",
    TAG,
    "Retrieve the current SMS cost",
    "The price that applies now when asked from a level: SpecificCustomer and AppOwner fall back to "
    "DirectCustomer, and that to TukuPay. The answer carries the level at which the price was found.",
    access=calls("PricingService/GetCurrentCost"),
    answers={
        200: Answer(
            "The price in effect.",
            CurrentCost,
            {"specificCustomer": cost_examples.CURRENT_SPECIFIC, "defaultCustomer": cost_examples.CURRENT_DEFAULT},
        )
    },
    problems={404: ["NO_PRICE"], **_READ_FAILURES},
    parameters=_QUESTION,
)

LIST_SMS_COSTS = Operation(
    "get",
    "/api/sms-costs/history",
    "listSmsCosts",
    TAG,
    "List historical SMS costs",
    "Every recorded row of a level and entity, oldest `effectiveFrom` first. For SpecificCustomer also the "
    "DirectCustomer rows that applied before the customer's own. A row that was taken back has its `withdrawal`. "
    "Follow the `Link` header for the next page.",
    access=calls("PricingService/ListCosts"),
    answers={
        200: Answer(
            "The rows, oldest first.",
            Many(CostHistoryRow),
            {"specificCustomer": cost_examples.HISTORY},
            headers=("Link",),
        )
    },
    problems=_READ_FAILURES,
    parameters=(
        *_QUESTION,
        *page_parameters("Rows", 1_000, unless_given=100, same="with the same level and entity"),
    ),
)

RESOLVE_SMS_COST = Operation(
    "get",
    "/api/sms-costs/resolve",
    "resolveSmsCost",
    TAG,
    "Resolve and explain the price of an SMS",
    "The price of one SMS unit for a customer, now or at any instant: SpecificCustomer comes first, then AppOwner "
    "when the SMS comes through an app, then DirectCustomer, then TukuPay. With `knownAt` it is answered from "
    "the prices known then, so that an old charge can be reproduced. With `explain=true` every row that was "
    "considered is listed, with why it won or lost.",
    access=calls("PricingService/ResolvePrice"),
    answers={
        200: Answer(
            "The price.",
            ResolvedPrice,
            {"explained": cost_examples.EXPLAINED_PRICE, "plain": cost_examples.RESOLVED_PRICE},
        )
    },
    problems={404: ["NO_PRICE"], **_READ_FAILURES},
    parameters=(
        query_parameter(
            "customerId",
            "The account that pays.",
            ONE_LINE,
            required=True,
        ),
        query_parameter(
            "appId",
            "The app through which the SMS comes; absent when through none.",
            ONE_LINE,
        ),
        query_parameter("at", "The instant to price for, with its offset; now unless given.", INSTANT),
        query_parameter(
            "knownAt",
            "Leave out rows and withdrawals recorded after this instant, which may not lie ahead.",
            INSTANT,
        ),
        query_parameter("explain", "`true` to list the candidates.", {"type": "boolean"}),
    ),
)

WITHDRAW_SMS_COST = BodyOperation(
    "post",
    "/api/sms-costs/{costId}/withdraw",
    "withdrawSmsCost",
    TAG,
    "Withdraw an SMS cost before it takes effect",
    "Takes a future price back. The row stays in the history with who, when and why, and no longer counts. "
    "A price in effect is not withdrawn but superseded: add a new one. Repeating the request gives the same answer.",
    access=calls("PricingService/WithdrawCost"),
    answers={200: Answer("Withdrawn.", RecordedCost, {"withdrawn": cost_examples.WITHDRAWN_COST})},
    problems={
        404: ["COST_NOT_FOUND"],
        409: ["COST_IN_FORCE", "COST_WITHDRAWN"],
        **_WRITE_FAILURES,
    },
    parameters=(path_parameter("costId", "The row.", "cost_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"),),
    body=NewWithdrawal,
    body_examples={"mistake": cost_examples.WITHDRAWAL},
)
