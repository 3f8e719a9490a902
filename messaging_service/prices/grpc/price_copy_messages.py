"""AuditPriceCopy: how the copy of the price book in this process compares."""

from __future__ import annotations

from messaging_service.prices.audit_price_copy import AuditPriceCopy
from messaging_service.prices.domain.price_copy import Key
from tukupay.sms.messaging.v1 import reports_pb2 as pb


async def audit_price_copy(audit: AuditPriceCopy) -> pb.AuditPriceCopyResponse:
    """The answer to AuditPriceCopy; raises ServiceError PRICING_UNAVAILABLE."""
    found = await audit()
    return pb.AuditPriceCopyResponse(
        answers=found.answers,
        copy_checksum=found.copy_checksum,
        book_checksum=found.book_checksum,
        epoch=found.epoch or 0,
        differing=[_name(key) for key in found.differing],
    )


def _name(key: Key) -> str:
    customer_id, app_id = key
    return customer_id if app_id is None else f"{customer_id} via {app_id}"
