"""The documented operations of accounts."""

from __future__ import annotations

from gateway_http.accounts.account_models import Balance, NewTopUp, Statement, TopUpAnswer
from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Operation, Tag
from gateway_http.openapi.parameters import PERIOD_PARAMETERS, USER_ID, query_parameter
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls

TAG = Tag("Accounts", "What accounts hold, pay and owe.")


_BALANCE: Json = {
    "userId": "user123",
    "mode": "prepaid",
    "status": "active",
    "currency": "KES",
    "balance": 499.4,
    "held": 0.6,
    "creditLimit": 0.0,
    "available": 498.8,
    "limits": {
        "dailySpend": 1000.0,
        "messagesPerMinute": None,
        "messagesPerRecipientHour": 10,
        "messagesPerRecipientWindow": None,
        "otpsPerRecipientWindow": 3,
        "destinations": ["KE", "UG"],
        "pumping": "block",
    },
    "spentToday": 1.2,
}
_TOP_UP: Json = {
    "entryId": 4711,
    "kind": "top_up",
    "amount": 500.0,
    "bookedAt": "2024-12-15T08:00:00Z",
    "outboxId": None,
    "attempt": None,
    "reference": "QK12ABC3DE",
    "reason": None,
    "bookedBy": "till",
}
_CHARGE: Json = {
    "entryId": 4712,
    "kind": "charge",
    "amount": -0.6,
    "bookedAt": "2024-12-15T08:01:00Z",
    "outboxId": "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
    "attempt": 1,
    "reference": None,
    "reason": None,
    "bookedBy": None,
}

GET_BALANCE = Operation(
    "get",
    "/api/sms/balance",
    "getBalance",
    TAG,
    "Show the balance of an account",
    "What was paid and charged, what is on hold for messages under way, and what can be spent now. An account that "
    "was never opened and never sent anything is not found.",
    access=calls("AccountService/GetAccount"),
    answers={200: Answer("The account as it stands.", Balance, {"prepaid": _BALANCE})},
    problems={404: ["ACCOUNT_NOT_FOUND"], **READ_FAILURES},
    parameters=(USER_ID,),
)

TOP_UP = BodyOperation(
    "post",
    "/api/sms/balance/top-ups",
    "topUp",
    TAG,
    "Book a payment",
    "Adds a payment to the balance. Its `reference` is booked once: the same request again answers **200** with "
    "the entry and the header `Idempotent-Replay: true`.",
    access=calls("AccountService/TopUp"),
    answers={
        201: Answer("Booked.", TopUpAnswer, {"booked": {"entry": _TOP_UP, "account": _BALANCE}}),
        200: Answer(
            "Booked before.",
            TopUpAnswer,
            {"replayed": {"entry": _TOP_UP, "account": _BALANCE}},
            headers=("Idempotent-Replay",),
        ),
    },
    problems={
        404: ["ACCOUNT_NOT_FOUND"],
        409: ["REFERENCE_REUSED", "ACCOUNT_CLOSED"],
        **WRITE_FAILURES,
    },
    body=NewTopUp,
    body_examples={"payment": {"userId": "user123", "amount": 500, "reference": "QK12ABC3DE"}},
)

GET_STATEMENT = Operation(
    "get",
    "/api/sms/balance/statement",
    "getStatement",
    TAG,
    "Show a statement",
    "Opening and closing balance of a period, its totals by kind, and its entries, oldest first. Follow the `Link` "
    "header for more entries: balances and totals are of the whole period on every page, and the entries of all "
    "pages add up to them, also while the account sends. Entries may still be missing of a period that ended less "
    "than a minute ago.",
    access=calls("AccountService/GetStatement", "AccountService/ListLedgerEntries"),
    answers={
        200: Answer(
            "The statement with a page of its entries.",
            Statement,
            {
                "december": {
                    "userId": "user123",
                    "currency": "KES",
                    "openingBalance": 0.0,
                    "closingBalance": 499.4,
                    "totals": [
                        {"kind": "charge", "entries": 1, "amount": -0.6},
                        {"kind": "top_up", "entries": 1, "amount": 500.0},
                    ],
                    "entries": [_TOP_UP, _CHARGE],
                }
            },
            headers=("Link",),
        )
    },
    problems={404: ["ACCOUNT_NOT_FOUND"], **READ_FAILURES},
    parameters=(
        USER_ID,
        *PERIOD_PARAMETERS,
        query_parameter(
            "limit",
            "Entries of a page.",
            {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100},
        ),
        query_parameter("pageToken", "From the `Link` header of the page before.", {"type": "string"}),
    ),
)
