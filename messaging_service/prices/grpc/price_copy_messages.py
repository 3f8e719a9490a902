"""AuditPriceCopy: how the copy of the price book in this process compares."""

from __future__ import annotations

from messaging_service.prices.domain.price_copy import Key
from messaging_service.prices.price_copy_audit import PriceCopyAudit
from tukupay.sms.messaging.v1 import reports_pb2 as pb

MAX_DIFFERING = 100


async def audit_price_copy(audit: PriceCopyAudit) -> pb.AuditPriceCopyResponse:
    """The answer to AuditPriceCopy; raises ServiceError PRICING_UNAVAILABLE."""
    found = await audit.compare()
    return pb.AuditPriceCopyResponse(
        answers=found.answers,
        copy_checksum=found.copy_checksum,
        book_checksum=found.book_checksum,
        epoch=found.epoch or 0,
        differing=[_name(key) for key in found.differing[:MAX_DIFFERING]],
    )


def _name(key: Key) -> str:
    customer_id, app_id = key
    return customer_id if app_id is None else f"{customer_id} via {app_id}"
