"""Many SMS to send in one request, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway_http.shared.outbox_entry import OutboxEntry
from gateway_http.shared.problem import ProblemDocument
from gateway_http.shared.rest_money import number
from tukupay.sms.messaging.v1 import messaging_pb2

MAX_MESSAGES = 1_000


def _sum(what: str) -> Meta:
    return Meta(
        description=f"The sum of {what} in KES, exact, each entry once.",
        extra_json_schema={"type": "number", "minimum": 0, "examples": [0.6]},
    )


class NewBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SMS to send. Each is checked by itself: an invalid one fails alone."""

    messages: Annotated[
        list[Raw],
        Meta(
            description=f"1 to {MAX_MESSAGES:,} SMS, each as `POST /api/sms/send` takes it. Each needs a `messageId`, "
            "unless the request has an `Idempotency-Key`.",
            extra_json_schema={
                "items": {"$ref": "#/components/schemas/NewSms"},
                "minItems": 1,
                "maxItems": MAX_MESSAGES,
            },
        ),
    ]


class BatchResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `POST /api/sms/send` would have answered for one SMS."""

    index: Annotated[int, Meta(ge=0, description="Its position in `messages`, from 0.")]
    status: Annotated[
        Literal["success", "failed", "error"],
        Meta(
            description="success: it was sent, or is on its way. failed: it is recorded, and failed. error: see "
            "`problem`."
        ),
    ]
    http_status: Annotated[int, Meta(description="The HTTP status it would have been answered with alone.")]
    replayed: Annotated[
        bool,
        Meta(description="True when its `messageId` was known and this is the stored entry: nothing was sent again."),
    ] = False
    outbox_entry: Annotated[OutboxEntry | UnsetType, Meta(description="The entry; absent after an error.")] = UNSET
    message: Annotated[str | UnsetType, Meta(description="The outcome in a sentence; absent after an error.")] = UNSET
    problem: Annotated[
        ProblemDocument | UnsetType,
        Meta(
            description="Only after an error: why it was not recorded, or that its outcome is open. Its `errors` name "
            "the fields as `messages[2].senderId`."
        ),
    ] = UNSET


class BatchSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The results in numbers: `messages` is the sum of `accepted`, `failed` and `errors`."""

    messages: Annotated[int, Meta(ge=1, description="SMS in the request.")]
    accepted: Annotated[int, Meta(ge=0, description="Results that are `success`.")]
    pending: Annotated[int, Meta(ge=0, description="How many of `accepted` are scheduled, queued, or undecided.")]
    failed: Annotated[int, Meta(ge=0, description="Results that are `failed`.")]
    errors: Annotated[int, Meta(ge=0, description="Results that are `error`.")]
    replayed: Annotated[int, Meta(ge=0, description="Results that are stored entries of an earlier request.")]
    total_cost: Annotated[
        Raw,
        Meta(
            description="What the entries cost in KES, exact: charged, or held for those that are pending; each entry "
            "once. A repetition of the request shows the same and costs nothing more.",
            extra_json_schema={"type": "number", "minimum": 0, "examples": [0.6]},
        ),
    ]
    currency: Annotated[Literal["KES"], Meta(description="The currency of all amounts.")] = "KES"
    held: Annotated[Raw, _sum("`held` of the entries' `billing`")]
    charged: Annotated[Raw, _sum("`charged` of the entries' `billing`")]
    refunded: Annotated[Raw, _sum("`refunded` of the entries' `billing`")]


class BatchAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a batch."""

    status: Annotated[
        Literal["success", "partial", "failed"],
        Meta(description="success: every SMS was sent or is on its way. failed: none. partial: some."),
    ]
    message: Annotated[str, Meta(description="The outcome in a sentence.")]
    summary: BatchSummary
    results: Annotated[Sequence[BatchResult], Meta(description="One for each SMS, in their order.")]


def batch_answer(
    results: Sequence[BatchResult], pending: int, cost_micros: int, billings: Iterable[messaging_pb2.EntryBilling]
) -> BatchAnswer:
    """The answer that sums the results up."""
    accepted = sum(result.status == "success" for result in results)
    failed = sum(result.status == "failed" for result in results)
    money = list(billings)
    errors = len(results) - accepted - failed
    summary = BatchSummary(
        messages=len(results),
        accepted=accepted,
        pending=pending,
        failed=failed,
        errors=errors,
        replayed=sum(result.replayed for result in results),
        total_cost=number(cost_micros),
        held=number(sum(each.held_micros for each in money)),
        charged=number(sum(each.charged_micros for each in money)),
        refunded=number(sum(each.refunded_micros for each in money)),
    )
    parts = {"sent": accepted - pending, "pending": pending, "failed": failed, "with an error": errors}
    words = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
    sentence = f"{len(results):,} SMS: {words}."
    if accepted == len(results):
        return BatchAnswer("success", sentence, summary, results)
    return BatchAnswer("partial" if accepted else "failed", sentence, summary, results)
