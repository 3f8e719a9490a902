"""Example bodies of cost tiers: what the routes take and give, byte for byte in meaning."""

from __future__ import annotations

from gateway_http.openapi.problem_examples import Json

SPECIFIC_CUSTOMER_COST: Json = {
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "appId": None,
    "reason": "Custom pricing for high-volume customer",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "createdBy": "admin123",
}

DEFAULT_CUSTOMER_COST: Json = {
    "level": "DirectCustomer",
    "pricePerSms": 0.8,
    "appId": None,
    "reason": "Default customer cost",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "createdBy": "admin123",
}

RECORDED_COST: Json = {
    "costId": "cost_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "reason": "Custom pricing for high-volume customer",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "createdBy": "admin123",
    "recordedAt": "2024-12-12T09:30:00.250000Z",
    "revision": 1,
}

CURRENT_SPECIFIC: Json = {
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "effectiveFrom": "2024-12-13T00:00:00Z",
}

CURRENT_DEFAULT: Json = {
    "level": "DirectCustomer",
    "pricePerSms": 0.8,
    "effectiveFrom": "2024-12-13T00:00:00Z",
}

HISTORY: list[Json] = [
    {
        "costId": "cost001",
        "level": "DirectCustomer",
        "pricePerSms": 0.8,
        "effectiveFrom": "2024-11-01T00:00:00Z",
        "createdBy": "admin123",
    },
    {
        "costId": "cost002",
        "level": "SpecificCustomer",
        "pricePerSms": 0.7,
        "customerId": "cust123",
        "effectiveFrom": "2024-12-01T00:00:00Z",
        "createdBy": "user456",
    },
]

OVERRIDDEN_COST: Json = {**RECORDED_COST, "pricePerSms": 0.07, "overriddenGuards": ["RELATIVE_CHANGE"]}

WITHDRAWAL: Json = {"withdrawnBy": "finance2", "reason": "The contract was not signed"}

WITHDRAWN_COST: Json = {
    **RECORDED_COST,
    "withdrawal": {"withdrawnAt": "2024-12-12T16:00:00Z", **WITHDRAWAL},
}

RESOLVED_PRICE: Json = {
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "costId": "cost_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "resolvedAt": "2024-12-15T08:00:00Z",
    "validUntil": "2025-01-01T00:00:00Z",
}

EXPLAINED_PRICE: Json = {
    **RESOLVED_PRICE,
    "candidates": [
        {
            "costId": "cost_0192f7c2a41d7e0b8c5e9d3f6a1b2c4d",
            "level": "SpecificCustomer",
            "pricePerSms": 0.65,
            "customerId": "cust123",
            "effectiveFrom": "2025-01-01T00:00:00Z",
            "revision": 1,
            "recordedAt": "2024-12-14T10:00:00Z",
            "verdict": "notYetEffective",
            "explanation": "takes effect on 2025-01-01 UTC",
        },
        {
            "costId": "cost_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
            "level": "SpecificCustomer",
            "pricePerSms": 0.7,
            "customerId": "cust123",
            "effectiveFrom": "2024-12-13T00:00:00Z",
            "revision": 1,
            "recordedAt": "2024-12-12T09:30:00.250000Z",
            "verdict": "won",
            "explanation": "applies: SpecificCustomer cust123 is the strongest level with a price in effect, and this "
            "is its newest row, in effect since 2024-12-13 UTC",
        },
        {
            "costId": "cost_0192d1f05b3c7a6e9f4d8c2b7a1e0d93",
            "level": "DirectCustomer",
            "pricePerSms": 0.8,
            "effectiveFrom": "2024-11-01T00:00:00Z",
            "revision": 1,
            "recordedAt": "2024-10-30T07:00:00Z",
            "verdict": "weakerLevel",
            "explanation": "is in effect, but SpecificCustomer cust123 comes before DirectCustomer and has a price in "
            "effect",
        },
    ],
}
