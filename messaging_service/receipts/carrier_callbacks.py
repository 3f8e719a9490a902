"""Takes what carriers post to us over HTTP: stored before they hear that we have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from messaging_service.carriers.callback_reader import CallbackReader, DeliveryReport, OptOut, PhoneMessage
from messaging_service.carriers.carrier import InboundSink, ReceiptSink
from messaging_service.carriers.domain.submission import DeliveryReceipt
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.shared.domain import reasons
from messaging_service.shared.group_commit import GroupCommit
from service_kit.errors import Kind, ServiceError, Violation, invalid

MAX_BATCH = 256
"""Reports of one transaction."""
MAX_WAITING = 10_000
"""Reports that may wait for one; more are turned away, and the carrier brings them again."""


class CarrierCallbacks:
    """Stores reports, many at a time; each method returns once what it was given is durable.

    Raises ServiceError CARRIER_NOT_FOUND for a carrier that posts nothing to us, DATABASE_UNAVAILABLE when
    nothing can be stored, OVERLOADED when too much waits; the carrier then brings it again.
    """

    def __init__(self, readers: Mapping[str, CallbackReader], receipts: ReceiptSink, inbound: InboundSink) -> None:
        """`readers` by the carrier's name."""
        self._readers = readers
        self._inbound = inbound

        async def store(batch: Sequence[DeliveryReceipt]) -> Sequence[None]:
            await receipts(batch)
            return [None] * len(batch)

        self._receipts: GroupCommit[DeliveryReceipt, None] = GroupCommit(
            "delivery reports", store, max_batch=MAX_BATCH, max_waiting=MAX_WAITING
        )

    async def report(self, carrier: str, report: DeliveryReport) -> None:
        """Stores a delivery report."""
        await self._receipts.submit(self._reader(carrier).receipt(report))

    async def message(self, carrier: str, message: PhoneMessage) -> None:
        """Stores what a phone wrote."""
        await self._store(self._reader(carrier).message(message))

    async def opt_out(self, carrier: str, opt_out: OptOut) -> None:
        """Stores a wish to hear no more."""
        await self._store(self._reader(carrier).opt_out(opt_out))

    async def _store(self, message: InboundMessage | None) -> None:
        if message is None:
            raise invalid([Violation("phone_number", reasons.INVALID_PHONE_NUMBER, "is no phone number in E.164")])
        await self._inbound([message])

    def _reader(self, carrier: str) -> CallbackReader:
        reader = self._readers.get(carrier)
        if reader is None:
            raise ServiceError(
                Kind.NOT_FOUND,
                reasons.CARRIER_NOT_FOUND,
                f"no carrier {carrier!r} posts to this service; compare the gateway's secrets with the carriers here",
            )
        return reader
