"""Cost reports and exported messages, asked of messaging, as rows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime, timedelta

from service_kit.grpc.timestamps import to_timestamp
from service_kit.settings import Address
from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.level_names import LEVEL_NAMES, level_name
from sms_cli.shared.service_calls import messaging_stub
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.messaging.v1 import messaging_pb2
from tukupay.sms.messaging.v1 import reports_pb2 as pb
from tukupay.sms.messaging.v1.reports_pb2_grpc import ReportServiceStub

GROUPINGS: Mapping[str, pb.CostGrouping.ValueType] = {
    "day": pb.COST_GROUPING_DAY,
    "account": pb.COST_GROUPING_ACCOUNT,
    "app": pb.COST_GROUPING_APP,
    "sender": pb.COST_GROUPING_SENDER,
    "level": pb.COST_GROUPING_LEVEL,
    "carrier": pb.COST_GROUPING_CARRIER,
    "tag": pb.COST_GROUPING_TAG,
}
SUMS = ("messages", "units", "charged", "refunded", "held")
MONEY = ("charged", "refunded", "held")
MESSAGE_COLUMNS = (
    "outboxId",
    "userId",
    "appId",
    "messageId",
    "createdAt",
    "sentAt",
    "recipientPhoneNumber",
    "senderId",
    "deliveryState",
    "billingState",
    "units",
    "unitPrice",
    "level",
    "charged",
    "refunded",
    "carrier",
    "carrierParts",
    "carrierCost",
    "tags",
    "errorCode",
)
MESSAGE_MONEY = ("unitPrice", "charged", "refunded", "carrierCost")

_DEADLINE_S = 600.0
_SHOWN_DIGITS = 3
_FIRST_PIECE = timedelta(days=1)
_LONGEST_PIECE = timedelta(days=366)
_FEW = 50_000
"""A piece with fewer messages is read quickly, so the next one may be longer."""


async def cost_groups(
    messaging: Address, start: datetime, end: datetime, by: Sequence[str], user: str | None, *, booked: bool = False
) -> AsyncGenerator[pb.ReportCostsResponse, None]:
    """A cost report in pages; `booked` reports what was booked in the period, as statements do."""
    request = pb.ReportCostsRequest(
        period_start=to_timestamp(start),
        period_end=to_timestamp(end),
        group_by=[GROUPINGS[name] for name in by],
        user_id=user,
        basis=pb.COST_BASIS_BOOKING if booked else pb.COST_BASIS_CREATION,
    )
    async with messaging_stub(messaging, ReportServiceStub, deadline_s=_DEADLINE_S) as stub:
        async for answer in stub.ReportCosts(request):
            yield answer


async def exported_messages(
    messaging: Address, start: datetime, end: datetime, user: str | None
) -> AsyncGenerator[tuple[Sequence[pb.ExportedMessage], datetime], None]:
    """The messages of a period in pages, each with the instant up to which the period is done."""
    async with messaging_stub(messaging, ReportServiceStub, deadline_s=_DEADLINE_S) as stub:
        first, width = start, _FIRST_PIECE
        while True:
            after = end if end - first <= width else first + width
            request = pb.ExportMessagesRequest(
                period_start=to_timestamp(first), period_end=to_timestamp(after), user_id=user
            )
            count = 0
            async for answer in stub.ExportMessages(request):
                count += len(answer.messages)
                yield answer.messages, first
            yield (), after
            if after >= end:
                return
            # Servers close connections that are some minutes old, so a piece must not take as long.
            first, width = after, min(2 * width, _LONGEST_PIECE) if count < _FEW else width


def group_row(by: Sequence[str], group: pb.CostGroup) -> dict[str, object]:
    """A group as a row; amounts in KES, as text, to stay exact."""
    keys = [key.value if key.HasField("value") else None for key in group.keys]
    shown_keys = [
        level_name(key) if name == "level" and key is not None else key for name, key in zip(by, keys, strict=True)
    ]
    return {**dict(zip(by, shown_keys, strict=True)), **sums_row(group.sums)}


def sums_row(sums: pb.CostSums) -> dict[str, object]:
    """Sums as a row."""
    return {
        "messages": sums.messages,
        "units": sums.units,
        "charged": kes(sums.charged_micros),
        "refunded": kes(sums.refunded_micros),
        "held": kes(sums.held_micros),
    }


def message_row(message: pb.ExportedMessage, *, full: bool) -> dict[str, object]:
    """A message as a row; the recipient is masked unless `full`."""
    phone = message.recipient_phone_number
    return {
        "outboxId": message.outbox_id,
        "userId": message.user_id,
        "appId": message.app_id if message.HasField("app_id") else None,
        "messageId": message.message_id,
        "createdAt": shown(message.created_time),
        "sentAt": shown(message.sent_time) if message.HasField("sent_time") else None,
        "recipientPhoneNumber": phone if full else f"{phone[:4]}…{phone[-_SHOWN_DIGITS:]}",
        "senderId": message.sender_id,
        "deliveryState": enum_word(messaging_pb2.DeliveryState, message.delivery_state),
        "billingState": enum_word(messaging_pb2.BillingState, message.billing_state),
        "units": message.units,
        "unitPrice": kes(message.unit_price_micros),
        "level": LEVEL_NAMES[message.price_level],
        "charged": kes(message.charged_micros),
        "refunded": kes(message.refunded_micros),
        "carrier": message.carrier if message.HasField("carrier") else None,
        "carrierParts": message.carrier_parts if message.HasField("carrier_parts") else None,
        "carrierCost": kes(message.carrier_cost_micros) if message.HasField("carrier_cost_micros") else None,
        "tags": list(message.tags),
        "errorCode": message.error_code if message.HasField("error_code") else None,
    }
