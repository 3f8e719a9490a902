"""MessagingService over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import structlog
from typing_extensions import override

from messaging_service.prices.grpc.quote_messages import from_quote, to_quote_draft
from messaging_service.prices.quote_sms import QuoteSms
from messaging_service.sending.domain.failures import CATALOGUE
from messaging_service.sending.domain.validation import MAX_TAG
from messaging_service.sending.grpc.deadlines import answer_by
from messaging_service.sending.grpc.outbox_messages import STATUS_OF, from_failure, from_message
from messaging_service.sending.grpc.send_messages import from_error, key_of, to_draft, to_wait_s
from messaging_service.sending.grpc.senders import Senders
from messaging_service.sending.outbox import ListFilter
from messaging_service.sending.outbox_entries import OutboxEntries
from messaging_service.sending.resend_sms import ResendSms
from messaging_service.sending.send_sms import SendSms
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.grpc import list_pages
from messaging_service.shared.grpc.entry_ids import existing
from messaging_service.shared.grpc.wire import to_instant
from service_kit import page_token, request_id
from service_kit.access.caller import caller
from service_kit.access.principal import AccessMode, Principal
from service_kit.errors import ServiceError, Violation, invalid
from service_kit.grpc.context import Context
from service_kit.tracing.span import SpanKind, bind_span
from service_kit.tracing.tracer import Tracer
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2_grpc

REQUEST_ID = "request_id"
"""Names the request in the metadata of an item's error."""
ITEM_SPAN = "sms send"
MAX_BATCH = 1_000
MAX_RESULTS = 256
"""In one message of a stream; of the longest that is 4 MB, where 16 are allowed."""

log = structlog.get_logger()


class MessagingServicer(messaging_pb2_grpc.MessagingServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(
        self,
        send: SendSms,
        resend: ResendSms,
        quote: QuoteSms,
        entries: OutboxEntries,
        *,
        default_wait_s: float,
        tracer: Tracer | None = None,
    ) -> None:
        """`default_wait_s`: how long a call waits for the carrier's answer. `tracer`: None where tracing is off."""
        self._send = send
        self._resend = resend
        self._quote = quote
        self._entries = entries
        self._default_wait_s = default_wait_s
        self._tracer = tracer

    @override
    async def SendSms(self, request: pb.SendSmsRequest, context: Context) -> pb.SendSmsResponse:
        return await self._send_one(request, caller(), answer_by(context))

    async def _send_one(self, request: pb.SendSmsRequest, sender: Principal, until: float | None) -> pb.SendSmsResponse:
        if own := request_id.valid(request.request_id):
            request_id.bind(own)
        wait = request.outcome_wait if request.HasField("outcome_wait") else None
        sent = await self._send(to_draft(request, sender), to_wait_s(wait, self._default_wait_s), until)
        return pb.SendSmsResponse(entry=from_message(sent.message, sender), replayed=sent.replayed)

    @override
    async def SendSmsBatch(
        self, request: pb.SendSmsBatchRequest, context: Context
    ) -> AsyncIterator[pb.SendSmsBatchResponse]:
        # Items run side by side; those decided in one turn of the loop travel together.
        if not 1 <= len(request.items) <= MAX_BATCH:
            problem = f"has {len(request.items)} messages; give 1 to {MAX_BATCH}"
            raise invalid([Violation("items", reasons.BATCH_SIZE, problem)])
        senders = Senders(caller(), request.principals)
        until = answer_by(context, len(request.items))
        decide = self._batch_result if self._tracer is None else self._traced_result
        decided: list[pb.SendSmsBatchResult] = []
        news = asyncio.Event()

        async def run(index: int, item: pb.SendSmsRequest, earlier: asyncio.Task[None] | None) -> None:
            if earlier is not None:
                await asyncio.wait({earlier})
            decided.append(await decide(index, item, senders, until))
            news.set()

        left = len(request.items)
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []
            for (index, item), rival in zip(enumerate(request.items), _earlier_rivals(request.items), strict=True):
                tasks.append(group.create_task(run(index, item, None if rival is None else tasks[rival])))
            while left > 0:
                await news.wait()
                news.clear()
                # Let the others that the same commit decided have their say before the message goes out.
                await asyncio.sleep(0)
                results, decided[:] = decided[:], []
                left -= len(results)
                for start in range(0, len(results), MAX_RESULTS):
                    yield pb.SendSmsBatchResponse(results=results[start : start + MAX_RESULTS])

    async def _traced_result(
        self, index: int, item: pb.SendSmsRequest, senders: Senders, until: float | None
    ) -> pb.SendSmsBatchResult:
        """The result of an item, in a span of its own trace when that is sampled; never in that of its batch."""
        parent = self._tracer.followed(item.traceparent) if self._tracer is not None and item.traceparent else None
        if self._tracer is None or parent is None:
            bind_span(None)
            return await self._batch_result(index, item, senders, until)
        with self._tracer.begin(ITEM_SPAN, SpanKind.INTERNAL, parent=parent) as span:
            result = await self._batch_result(index, item, senders, until)
            if result.HasField("error"):
                span.fail(result.error.reason)
            else:
                span.describe(attributes={"messaging.message.id": result.response.entry.outbox_id})
            return result

    async def _batch_result(
        self, index: int, item: pb.SendSmsRequest, senders: Senders, until: float | None
    ) -> pb.SendSmsBatchResult:
        try:
            response = await self._send_one(item, senders.of(item), until)
            log.debug("batch_item.answered", outbox_id=response.entry.outbox_id)
            return pb.SendSmsBatchResult(index=index, response=response)
        except ServiceError as error:
            log.info("batch_item.refused", reason=error.reason)
            return pb.SendSmsBatchResult(index=index, error=_named(from_error(error)))
        except Exception as error:
            log.error("batch_item.failed", index=index, exc_info=error)  # noqa: TRY400 - traceback is in exc_info
            item_error = errors_pb2.ItemError(
                code=13, reason="INTERNAL", message="internal error; the item may be on record"
            )
            return pb.SendSmsBatchResult(index=index, error=_named(item_error))

    @override
    async def QuoteSms(self, request: pb.QuoteSmsRequest, context: Context) -> pb.QuoteSmsResponse:
        return from_quote(await self._quote(to_quote_draft(request, caller())))

    @override
    async def ResendSms(self, request: pb.ResendSmsRequest, context: Context) -> pb.ResendSmsResponse:
        wait = request.outcome_wait if request.HasField("outcome_wait") else None
        wait_s = to_wait_s(wait, self._default_wait_s)
        by = caller()
        message = await self._resend(
            existing(request.outbox_id),
            wait_s,
            answer_by(context),
            accounts=by.accounts,
            mode=by.mode,
            api_key=key_of(by),
        )
        return pb.ResendSmsResponse(entry=from_message(message, by))

    @override
    async def CancelSms(self, request: pb.CancelSmsRequest, context: Context) -> pb.CancelSmsResponse:
        by = caller()
        message = await self._entries.cancel(existing(request.outbox_id), by.accounts, by.mode)
        return pb.CancelSmsResponse(entry=from_message(message, by))

    @override
    async def GetOutboxEntry(self, request: pb.GetOutboxEntryRequest, context: Context) -> pb.GetOutboxEntryResponse:
        by = caller()
        message = await self._entries.entry(existing(request.outbox_id), by.accounts, by.mode)
        return pb.GetOutboxEntryResponse(entry=from_message(message, by))

    @override
    async def ListOutboxEntries(
        self, request: pb.ListOutboxEntriesRequest, context: Context
    ) -> pb.ListOutboxEntriesResponse:
        viewer = caller()
        wanted, size = _list_request(request)
        tests = () if viewer.mode is AccessMode.LIVE else (viewer.mode.value,)
        if tests:
            wanted = replace(wanted, mode=viewer.mode)
        question = (
            *tests,
            wanted.account_id,
            None if wanted.status is None else wanted.status.value,
            wanted.tag,
            None if wanted.created_from is None else wanted.created_from.isoformat(),
            None if wanted.created_before is None else wanted.created_before.isoformat(),
            *(() if wanted.recipient is None else (wanted.recipient,)),
        )
        after = list_pages.after(request.page_token, question)
        found = await self._entries.list(wanted, size + 1, after)
        page, token = list_pages.page_of(found, size, question, lambda row: (row.created_at, row.id))
        return pb.ListOutboxEntriesResponse(
            entries=[from_message(message, viewer) for message in page], next_page_token=token
        )

    @override
    async def ListErrorCodes(self, request: pb.ListErrorCodesRequest, context: Context) -> pb.ListErrorCodesResponse:
        size, first, codes = list_pages.page_size(request.page_size), 0, list(CATALOGUE)
        if request.page_token:
            (after,) = page_token.decode(request.page_token, ("error codes",), 1)
            if after not in codes:
                raise page_token.refused("does not hold a position; start again without it")
            first = codes.index(str(after)) + 1
        page = codes[first : first + size]
        token = page_token.encode((page[-1],), ("error codes",)) if first + size < len(codes) else ""
        return pb.ListErrorCodesResponse(
            error_codes=[from_failure(CATALOGUE[code]) for code in page], next_page_token=token
        )


def _earlier_rivals(items: Sequence[pb.SendSmsRequest]) -> list[int | None]:
    """For each item the last one before it that gives its message id another meaning; None when none does.

    Which of them counts must follow their order, and not which price is known sooner. Equal ones need no
    order: whichever is recorded first, the others are its repetitions.
    """
    rivals: list[int | None] = []
    last: dict[tuple[str, str], int] = {}
    for index, item in enumerate(items):
        rival = None
        if item.message_id:
            earlier = last.setdefault((item.user_id, item.message_id), index)
            if earlier != index and _asked(items[earlier]) != _asked(item):
                rival = earlier
                last[item.user_id, item.message_id] = index
        rivals.append(rival)
    return rivals


def _asked(item: pb.SendSmsRequest) -> pb.SendSmsRequest:
    """What an item asks for, in a batch or alone."""
    if not item.HasField("request_id") and not item.HasField("traceparent"):
        return item
    asked = pb.SendSmsRequest()
    asked.CopyFrom(item)
    asked.ClearField("request_id")
    asked.ClearField("traceparent")
    return asked


def _named(error: errors_pb2.ItemError) -> errors_pb2.ItemError:
    """The error with the id under which its log lines are found."""
    error.metadata[REQUEST_ID] = request_id.current() or ""
    return error


def _list_request(request: pb.ListOutboxEntriesRequest) -> tuple[ListFilter, int]:
    violations: list[Violation] = []
    if problem := text_problem(request.user_id, MAX_IDENTIFIER):
        violations.append(Violation("user_id", reasons.INVALID_IDENTIFIER, problem))
    if request.HasField("tag") and (problem := text_problem(request.tag, MAX_TAG)):
        violations.append(Violation("tag", reasons.INVALID_TAG, problem))
    if request.HasField("recipient_phone_number") and not request.recipient_phone_number:
        violations.append(
            Violation("recipient_phone_number", reasons.REQUIRED, "is empty; give a number, or leave it out")
        )
    if request.status not in STATUS_OF:
        problem = f"has the unknown value {request.status}; use one of SmsStatus"
        violations.append(Violation("status", reasons.UNKNOWN_STATUS, problem))
    violations += list_pages.page_size_faults(request.page_size)
    if violations:
        raise invalid(violations)
    created_from = to_instant("created_from", request.created_from) if request.HasField("created_from") else None
    created_before = (
        to_instant("created_before", request.created_before) if request.HasField("created_before") else None
    )
    wanted = ListFilter(
        account_id=request.user_id,
        status=STATUS_OF[request.status],
        tag=request.tag if request.HasField("tag") else None,
        recipient=request.recipient_phone_number if request.HasField("recipient_phone_number") else None,
        created_from=created_from,
        created_before=created_before,
    )
    return wanted, list_pages.page_size(request.page_size)
