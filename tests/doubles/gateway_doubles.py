"""Pricing and messaging services that answer as a test tells them, over real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from service_kit.access.caller import caller
from service_kit.access.principal import Principal
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.grpc_errors import CODES
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.messaging.v1 import events_pb2, events_pb2_grpc, messaging_pb2, messaging_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

Answer = TypeVar("Answer", bound=Message)
ItemAnswer = messaging_pb2.OutboxEntry | messaging_pb2.SendSmsResponse | ServiceError

PRICING = "tukupay.sms.pricing.v1.PricingService"
MESSAGING = "tukupay.sms.messaging.v1.MessagingService"
ENTRY_ID = "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"


def at(text: str) -> Timestamp:
    """The wire form of an RFC 3339 instant in UTC."""
    timestamp = Timestamp()
    timestamp.FromJsonString(text)
    return timestamp


class Scripted:
    """Keeps what was asked, and answers as told."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.metadata: dict[str, str] = {}
        self.caller: Principal | None = None
        """For whom the last call was made."""
        self._answers: dict[str, Message | Exception | grpc.StatusCode] = {}

    def forget(self) -> None:
        """Makes it as new for the next test."""
        self.requests.clear()
        self.metadata = {}
        self._answers.clear()

    def will_answer(self, method: str, answer: Message | Exception | grpc.StatusCode) -> None:
        """A bare status is what a broken connection leaves behind."""
        self._answers[method] = answer

    @property
    def request(self) -> Any:
        """The only request there was."""
        [request] = self.requests
        return request

    async def _answer(self, method: str, request: Message, context: Any, default: Answer) -> Answer:
        self.requests.append(request)
        self.caller = caller()
        self.metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        answer = self._answers.get(method, default)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "Socket closed")
        assert isinstance(answer, type(default))
        return answer


def row(**fields: Any) -> pricing_pb2.Cost:
    """A recorded price."""
    known: dict[str, Any] = {
        "cost_id": "cost_1",
        "level": pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER,
        "price_micros": 800_000,
        "effective_from": at("2024-12-13T00:00:00Z"),
        "created_by": "admin123",
        "reason": "Default customer cost",
        "recorded_time": at("2024-12-12T09:30:00.25Z"),
        "revision": 1,
    }
    return pricing_pb2.Cost(**(known | fields))


class PricingDouble(Scripted, pricing_pb2_grpc.PricingServiceServicer):
    """Echoes a recorded price; knows no other unless told."""

    async def SetCost(self, request: pricing_pb2.SetCostRequest, context: Any) -> pricing_pb2.SetCostResponse:  # noqa: N802
        def given(field: Any) -> Any:
            return getattr(request, field) if request.HasField(field) else None

        cost = pricing_pb2.Cost(
            cost_id="cost_1",
            level=request.level,
            price_micros=request.price_micros,
            customer_id=given("customer_id"),
            app_id=given("app_id"),
            reason=given("reason"),
            effective_from=request.effective_from,
            created_by=request.created_by,
            recorded_time=at("2024-12-12T09:30:00.25Z"),
            revision=1,
        )
        return await self._answer("SetCost", request, context, pricing_pb2.SetCostResponse(cost=cost))

    async def GetCurrentCost(  # noqa: N802
        self, request: pricing_pb2.GetCurrentCostRequest, context: Any
    ) -> pricing_pb2.GetCurrentCostResponse:
        return await self._answer("GetCurrentCost", request, context, pricing_pb2.GetCurrentCostResponse(cost=row()))

    async def ListCosts(self, request: pricing_pb2.ListCostsRequest, context: Any) -> pricing_pb2.ListCostsResponse:  # noqa: N802
        return await self._answer("ListCosts", request, context, pricing_pb2.ListCostsResponse())

    async def ResolvePrice(self, request: pricing_pb2.ResolvePriceRequest, context: Any) -> Any:  # noqa: N802
        candidates = [
            pricing_pb2.PriceCandidate(cost=row(), verdict=pricing_pb2.CANDIDATE_VERDICT_WON, explanation="applies")
        ]
        answer = pricing_pb2.ResolvePriceResponse(
            cost=row(), resolved_at=at("2024-12-15T08:00:00Z"), candidates=candidates if request.explain else []
        )
        return await self._answer("ResolvePrice", request, context, answer)

    async def WithdrawCost(self, request: pricing_pb2.WithdrawCostRequest, context: Any) -> Any:  # noqa: N802
        withdrawal = pricing_pb2.Withdrawal(
            withdrawn_time=at("2024-12-12T16:00:00Z"), withdrawn_by=request.withdrawn_by, reason=request.reason
        )
        answer = pricing_pb2.WithdrawCostResponse(cost=row(cost_id=request.cost_id, withdrawal=withdrawal))
        return await self._answer("WithdrawCost", request, context, answer)

    async def ImportCosts(self, request: pricing_pb2.ImportCostsRequest, context: Any) -> Any:  # noqa: N802
        return await self._answer("ImportCosts", request, context, pricing_pb2.ImportCostsResponse())

    async def ImportCostsInParts(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        async for request in request_iterator:
            yield await self._answer("ImportCostsInParts", request, context, pricing_pb2.ImportCostsInPartsResponse())

    async def ExportCosts(self, request: pricing_pb2.ExportCostsRequest, context: Any) -> Any:  # noqa: N802
        yield await self._answer("ExportCosts", request, context, pricing_pb2.ExportCostsResponse())

    async def BatchListChangeInstants(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = pricing_pb2.BatchListChangeInstantsResponse()
        return await self._answer("BatchListChangeInstants", request, context, answer)

    async def BatchResolvePrices(self, request: pricing_pb2.BatchResolvePricesRequest, context: Any) -> Any:  # noqa: N802
        return await self._answer("BatchResolvePrices", request, context, pricing_pb2.BatchResolvePricesResponse())

    async def WatchPrices(self, request: pricing_pb2.WatchPricesRequest, context: Any) -> Any:  # noqa: N802
        yield await self._answer("WatchPrices", request, context, pricing_pb2.WatchPricesResponse())


def entry_of(item: messaging_pb2.SendSmsRequest) -> messaging_pb2.OutboxEntry:
    """What an entry looks like that a carrier accepted."""
    return messaging_pb2.OutboxEntry(
        outbox_id=ENTRY_ID,
        user_id=item.user_id,
        recipient_phone_number=item.recipient_phone_number,
        message=item.message,
        sender_id=item.sender_id,
        message_id=item.message_id or "made-by-the-service",
        sms_units_used=1,
        unit_price_micros=600_000,
        total_cost_micros=600_000,
        status=messaging_pb2.SMS_STATUS_SENT,
        delivery_state=messaging_pb2.DELIVERY_STATE_ACCEPTED,
        created_time=at("2024-12-15T08:00:00Z"),
        sent_time=at("2024-12-15T08:01:00Z"),
        last_attempt_time=at("2024-12-15T08:00:59Z"),
        tags=item.tags,
        custom_data_json=item.custom_data_json if item.HasField("custom_data_json") else None,
        billing_state=messaging_pb2.BILLING_STATE_CHARGED,
        billing=messaging_pb2.EntryBilling(charged_micros=600_000),
    )


class MessagingDouble(Scripted, messaging_pb2_grpc.MessagingServiceServicer, events_pb2_grpc.EventServiceServicer):
    """Accepts every SMS unless told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[messaging_pb2.SendSmsBatchRequest] = []
        self.on_item: Callable[[messaging_pb2.SendSmsRequest], ItemAnswer] = entry_of
        self.held_back: set[str] = set()
        """`user_id`s that are answered only after `release` is set."""
        self.release = asyncio.Event()
        self.batch_came = asyncio.Event()
        self.batch_failure: Exception | None = None
        """Raised in place of the answers that are held back, or of all of them when none is."""

    def forget(self) -> None:
        super().forget()
        self.batches.clear()

    @property
    def item(self) -> messaging_pb2.SendSmsRequest:
        """The only item there was."""
        [[item]] = [list(batch.items) for batch in self.batches]
        return item

    async def SendSmsBatch(  # noqa: N802
        self, request: messaging_pb2.SendSmsBatchRequest, context: Any
    ) -> AsyncIterator[messaging_pb2.SendSmsBatchResponse]:
        self.batches.append(request)
        self.batch_came.set()
        late = [index for index, item in enumerate(request.items) if item.user_id in self.held_back]
        early = [index for index in reversed(range(len(request.items))) if index not in late]
        if self.batch_failure is not None and not late:
            raise self.batch_failure
        if early:
            yield self._results(request, early)
        if late:
            await self.release.wait()
            if self.batch_failure is not None:
                raise self.batch_failure
            yield self._results(request, late)

    def _results(
        self, request: messaging_pb2.SendSmsBatchRequest, indexes: list[int]
    ) -> messaging_pb2.SendSmsBatchResponse:
        return messaging_pb2.SendSmsBatchResponse(
            results=[self._result(index, self.on_item(request.items[index])) for index in indexes]
        )

    @staticmethod
    def _result(index: int, answer: ItemAnswer) -> messaging_pb2.SendSmsBatchResult:
        if isinstance(answer, messaging_pb2.OutboxEntry):
            answer = messaging_pb2.SendSmsResponse(entry=answer)
        if isinstance(answer, messaging_pb2.SendSmsResponse):
            return messaging_pb2.SendSmsBatchResult(index=index, response=answer)
        error = errors_pb2.ItemError(
            code=CODES[answer.kind], reason=answer.reason, message=answer.message, metadata=answer.metadata
        )
        for violation in answer.violations:
            error.violations.add(field=violation.field, reason=violation.reason, description=violation.description)
        if answer.retry_after is not None:
            error.retry_delay.FromTimedelta(answer.retry_after)
        return messaging_pb2.SendSmsBatchResult(index=index, error=error)

    async def SendSms(self, request: messaging_pb2.SendSmsRequest, context: Any) -> messaging_pb2.SendSmsResponse:  # noqa: N802
        default = messaging_pb2.SendSmsResponse(entry=entry_of(request))
        return await self._answer("SendSms", request, context, default)

    async def QuoteSms(self, request: messaging_pb2.QuoteSmsRequest, context: Any) -> messaging_pb2.QuoteSmsResponse:  # noqa: N802
        answer = messaging_pb2.QuoteSmsResponse(
            encoding=messaging_pb2.ENCODING_GSM7,
            segments=[request.message],
            unit_price_micros=600_000,
            total_cost_micros=600_000,
            price_level=messaging_pb2.PRICE_LEVEL_DIRECT_CUSTOMER,
            price_cost_id="cost_1",
        )
        return await self._answer("QuoteSms", request, context, answer)

    async def ResendSms(  # noqa: N802
        self, request: messaging_pb2.ResendSmsRequest, context: Any
    ) -> messaging_pb2.ResendSmsResponse:
        entry = entry_of(messaging_pb2.SendSmsRequest(user_id="user123"))
        entry.outbox_id = request.outbox_id
        entry.sent_time.CopyFrom(at("2024-12-15T08:05:00Z"))
        entry.last_attempt_time.CopyFrom(at("2024-12-15T08:05:00Z"))
        entry.retry_count = 1
        return await self._answer("ResendSms", request, context, messaging_pb2.ResendSmsResponse(entry=entry))

    async def CancelSms(  # noqa: N802
        self, request: messaging_pb2.CancelSmsRequest, context: Any
    ) -> messaging_pb2.CancelSmsResponse:
        entry = messaging_pb2.OutboxEntry(
            outbox_id=request.outbox_id,
            status=messaging_pb2.SMS_STATUS_FAILED,
            delivery_state=messaging_pb2.DELIVERY_STATE_CANCELLED,
            created_time=at("2024-12-15T08:00:00Z"),
        )
        return await self._answer("CancelSms", request, context, messaging_pb2.CancelSmsResponse(entry=entry))

    async def GetOutboxEntry(  # noqa: N802
        self, request: messaging_pb2.GetOutboxEntryRequest, context: Any
    ) -> messaging_pb2.GetOutboxEntryResponse:
        if request.outbox_id != ENTRY_ID:
            self.requests.append(request)
            raise ServiceError(Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND", "no such entry; check the outbox id")
        entry = entry_of(messaging_pb2.SendSmsRequest(user_id="user123", message_id="msg123"))
        return await self._answer("GetOutboxEntry", request, context, messaging_pb2.GetOutboxEntryResponse(entry=entry))

    async def ListOutboxEntries(  # noqa: N802
        self, request: messaging_pb2.ListOutboxEntriesRequest, context: Any
    ) -> messaging_pb2.ListOutboxEntriesResponse:
        return await self._answer("ListOutboxEntries", request, context, messaging_pb2.ListOutboxEntriesResponse())

    async def ListOutboxEvents(  # noqa: N802
        self, request: events_pb2.ListOutboxEventsRequest, context: Any
    ) -> events_pb2.ListOutboxEventsResponse:
        return await self._answer("ListOutboxEvents", request, context, events_pb2.ListOutboxEventsResponse())

    async def ListErrorCodes(  # noqa: N802
        self, request: messaging_pb2.ListErrorCodesRequest, context: Any
    ) -> messaging_pb2.ListErrorCodesResponse:
        code = messaging_pb2.ErrorCode(
            code="CARRIER_BUSY",
            meaning="The carrier was too busy.",
            advice="Resend later.",
            resend_advice=messaging_pb2.RESEND_ADVICE_LATER,
        )
        return await self._answer(
            "ListErrorCodes", request, context, messaging_pb2.ListErrorCodesResponse(error_codes=[code])
        )

    async def WatchOutboxEntry(self, request: events_pb2.WatchOutboxEntryRequest, context: Any) -> Any:  # noqa: N802
        yield await self._answer("WatchOutboxEntry", request, context, events_pb2.WatchOutboxEntryResponse())

    async def WatchOutbox(self, request: events_pb2.WatchOutboxRequest, context: Any) -> Any:  # noqa: N802
        yield await self._answer("WatchOutbox", request, context, events_pb2.WatchOutboxResponse())
