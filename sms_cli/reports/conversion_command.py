"""`tukupay-sms reports conversion`: how many codes came back, by block of numbers."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from sms_cli.shared.options import AsJson
from sms_cli.shared.service_calls import ask_messaging
from sms_cli.shared.terminal import cell, out, print_json, print_table
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.messaging.v1 import feedback_pb2 as pb
from tukupay.sms.messaging.v1.feedback_pb2_grpc import FeedbackServiceStub

_COLUMNS = ("block", "sent", "refused", "verified", "not verified", "conversion", "looks pumped")


def conversion(
    user: Annotated[str, typer.Option(help="The account.")],
    hours: Annotated[int, typer.Option(min=1, max=168, help="How many hours to look back.")] = 24,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most blocks.")] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """Show how many codes came back by block of numbers, those that look pumped first."""
    request = pb.GetConversionRequest(user_id=user, hours=hours, limit=limit)
    found: pb.GetConversionResponse = ask_messaging(FeedbackServiceStub, lambda stub: stub.GetConversion(request))
    if as_json:
        blocks = [{"block": block.block, **_counts(block)} for block in found.blocks]
        print_json(
            {"userId": user, "since": shown(found.period_start), "total": _counts(found.total), "blocks": blocks}
        )
        return
    if not found.blocks:
        out.print(f"nothing that was watched was sent since {shown(found.period_start)}")
        return
    table = Table(*_COLUMNS)
    for block in found.blocks:
        table.add_row(cell(block.block), *_cells(block))
    table.add_row("all", *_cells(found.total))
    print_table(table)


def _counts(block: pb.BlockConversion) -> dict[str, object]:
    return {
        "sent": block.sent,
        "refused": block.refused,
        "verified": block.verified,
        "notVerified": block.not_verified,
        "conversion": _rate(block),
        "suspectedAt": shown(block.suspected_time) if block.HasField("suspected_time") else None,
    }


def _cells(block: pb.BlockConversion) -> list[str]:
    rate = _rate(block)
    return [
        f"{block.sent:,}",
        f"{block.refused:,}",
        f"{block.verified:,}",
        f"{block.not_verified:,}",
        "" if rate is None else f"{rate:.1%}",
        shown(block.suspected_time) if block.HasField("suspected_time") else "",
    ]


def _rate(block: pb.BlockConversion) -> float | None:
    told = block.verified + block.not_verified
    return round(block.verified / told, 4) if told else None
