"""POST /api/sms/send-batch: many SMS in one request, each with a result of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
from google.protobuf.duration_pb2 import Duration
from starlette.responses import Response

from gateway_http.shared import idempotency_key, reasons
from gateway_http.shared.admission import Admission
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.outbox_entry import OutboxEntry
from gateway_http.shared.preferred_wait import PreferredWait
from gateway_http.shared.problem import ProblemError, from_service_error, invalid_fields
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.route import RestRequest, RestRoutes, handles
from gateway_http.shared.send_outcomes import of_send
from gateway_http.shared.upstream import problem_of_item
from gateway_http.sms.batch_models import MAX_MESSAGES, BatchResult, NewBatch, batch_answer
from gateway_http.sms.coalescer import SEND, SendCoalescer
from gateway_http.sms.sms_models import NewSms
from gateway_http.sms.sms_operations import SEND_SMS_BATCH
from service_kit.access.refusals import account_denied
from service_kit.errors import Kind, ServiceError, Violation
from tukupay.sms.messaging.v1 import messaging_pb2

MAX_BODY_BYTES = 8 * 1024 * 1024
"""8 kB for each of 1,000 SMS, where a usual one takes a few hundred bytes."""
_IN_ONE_TURN = 50
"""SMS read or rendered before others have their turn of the loop: a millisecond or two."""
_PAID = {messaging_pb2.BILLING_STATE_HELD, messaging_pb2.BILLING_STATE_CHARGED}

_Sent = messaging_pb2.SendSmsBatchResult | ProblemError


class BatchRoutes(RestRoutes):
    """Speaks to the messaging service through the coalescer, in one call for each request."""

    def __init__(
        self, coalescer: SendCoalescer, *, outcome_wait_s: float, max_batches: int, admission: Admission
    ) -> None:
        """`max_batches` bounds the requests served at once, from the first byte of the body to the answer."""
        self._coalescer = coalescer
        self._admission = admission
        self._batch = JsonBody(NewBatch, large_field="messages")
        self._sms = JsonBody(NewSms)
        self._wait = PreferredWait(outcome_wait_s)
        self._free = max_batches

    # The body is read once there is room for it.
    @handles(SEND_SMS_BATCH)
    async def send(self, request: RestRequest) -> Response:
        """Sends the SMS and answers with a result for each. Raises ProblemError when the request as a whole fails."""
        if self._free <= 0:
            raise from_service_error(_too_many_batches())
        self._free -= 1
        try:
            return await self._answer(request)
        finally:
            self._free += 1

    async def _answer(self, request: RestRequest) -> Response:
        key = idempotency_key.message_key(request.headers)
        taken = await self._taken(request, key)
        items = [one for one in taken if not isinstance(one, ProblemError)]
        answers = iter(await self._coalescer.send_together(items, request.caller)) if items else iter(())
        decided = [one if isinstance(one, ProblemError) else next(answers) for one in taken]
        return await _rendered(decided, request.request_id)

    async def _taken(self, request: RestRequest, key: str | None) -> list[messaging_pb2.SendSmsRequest | ProblemError]:
        """The SMS of the body, which is dropped here because it may be large and carriers take seconds to answer."""
        body = await read_body(request.receive, request.headers, MAX_BODY_BYTES)
        raw = self._batch.decode(body).messages
        if not 1 <= len(raw) <= MAX_MESSAGES:
            problem = f"has {len(raw):,} SMS; give 1 to {MAX_MESSAGES:,}"
            raise invalid_fields([Violation("messages", reasons.BATCH_SIZE, problem)])
        return await self._read(raw, key, self._wait.of(request.headers), request)

    async def _read(
        self, raw: Sequence[msgspec.Raw], key: str | None, wait: Duration, request: RestRequest
    ) -> list[messaging_pb2.SendSmsRequest | ProblemError]:
        caller = request.caller
        taken: list[messaging_pb2.SendSmsRequest | ProblemError] = []
        nameless: list[int] = []
        for index, text in enumerate(raw):
            if index % _IN_ONE_TURN == 0:
                await asyncio.sleep(0)
            try:
                item = self._sms.decode(bytes(text)).to_request(wait)
            except ProblemError as error:
                taken.append(_of_item(error, index))
                continue
            if caller is not None and not caller.principal.acts_for(item.user_id):
                self._admission.denied(caller, SEND_SMS_BATCH.access, None, request.origin)
                taken.append(from_service_error(account_denied()))
                continue
            if not item.HasField("message_id"):
                if key is None:
                    nameless.append(index)
                else:
                    item.message_id = f"{key}-{index}"
            taken.append(item)
        if nameless:
            raise _not_repeatable(nameless)
        return taken


def _not_repeatable(nameless: Sequence[int]) -> ProblemError:
    others = f" (and {len(nameless) - 1:,} more SMS)" if len(nameless) > 1 else ""
    problem = (
        f"is missing{others}, and so is the header {idempotency_key.NAME}; give either, so that a repetition of the "
        "request sends nothing twice"
    )
    return invalid_fields([Violation(f"messages[{nameless[0]}].messageId", reasons.REQUIRED, problem)])


def _of_item(error: ProblemError, index: int) -> ProblemError:
    """The problem of one SMS with its fields as the caller of the batch knows them."""
    place = f"messages[{index}]"
    if error.reason == "MALFORMED_JSON":
        problem = "holds bytes or escapes that are no characters, or is nested too deeply; correct it"
        return invalid_fields([Violation(place, reasons.INVALID_TEXT, problem)])
    if not error.errors:
        return error
    faults = [Violation(f"{place}.{v.field}" if v.field else place, v.reason, v.description) for v in error.errors]
    detail = invalid_fields(faults).detail if error.reason == "INVALID_ARGUMENT" else error.detail
    return replace(error, detail=detail, errors=faults)


async def _rendered(decided: Sequence[_Sent], request_id: str) -> Response:
    results: list[BatchResult] = []
    paid: dict[str, int] = {}
    billings: dict[str, messaging_pb2.EntryBilling] = {}
    pending = 0
    retry_after = 0
    for index, one in enumerate(decided):
        if index % _IN_ONE_TURN == 0:
            await asyncio.sleep(0)
        if not isinstance(one, ProblemError) and one.HasField("error"):
            one = _of_item(problem_of_item(one.error, SEND), index)  # noqa: PLW2901 - the same in its other form
        if isinstance(one, ProblemError):
            retry_after = max(retry_after, int(one.headers.get("Retry-After", "0")))
            results.append(
                BatchResult(
                    index=index, status="error", http_status=one.http_status, problem=one.as_document(request_id)
                )
            )
            continue
        entry = one.response.entry
        pending += entry.status == messaging_pb2.SMS_STATUS_PENDING
        if entry.billing_state in _PAID:
            paid[entry.outbox_id] = entry.total_cost_micros
        billings[entry.outbox_id] = entry.billing
        results.append(_recorded(index, one.response))
    answer = batch_answer(results, pending, sum(paid.values()), billings.values())
    headers = {"Retry-After": str(retry_after)} if retry_after else None
    status = 207 if answer.summary.errors else 202 if pending else 200
    return json_answer(answer, status, headers)


def _recorded(index: int, response: messaging_pb2.SendSmsResponse) -> BatchResult:
    outcome = of_send(response.entry)
    return BatchResult(
        index=index,
        status=outcome.status,
        http_status=outcome.http_status,
        replayed=response.replayed,
        outbox_entry=OutboxEntry.of(response.entry),
        message=outcome.message,
    )


def _too_many_batches() -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.OVERLOADED,
        "too many batches are being sent; nothing was stored or charged, try again shortly",
        retry_after=timedelta(seconds=1),
    )
