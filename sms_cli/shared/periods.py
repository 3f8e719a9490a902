"""The period of a command: two instants, or a month of Nairobi."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from service_kit.months import month
from sms_cli.shared.options import parsed
from sms_cli.shared.terminal_instants import parse_instant

Start = Annotated[
    str | None, typer.Option("--from", help="First instant of the period, for instance 2026-01-01T00:00:00+03:00.")
]
End = Annotated[str | None, typer.Option("--to", help="First instant after the period.")]
Month = Annotated[
    str | None,
    typer.Option("--period", metavar="YYYY-MM", help="A month of Nairobi (UTC+3), instead of --from and --to."),
]

Period = tuple[datetime, datetime]


def period_of(start: str | None, end: str | None, month_text: str | None) -> Period:
    """The first instant and the first one after it; raises BadParameter that names the option at fault."""
    if month_text is not None:
        if start is not None or end is not None:
            raise typer.BadParameter("give a month, or --from and --to", param_hint="--period")
        return parsed(month, "--period", month_text)
    if start is None or end is None:
        missing = "--from" if start is None else "--to"
        raise typer.BadParameter("is missing; give --from and --to, or a month as --period 2026-10", param_hint=missing)
    return parsed(parse_instant, "--from", start), parsed(parse_instant, "--to", end)
