"""What a person at the terminal sees of a batch. Phone numbers are masked."""

from __future__ import annotations

from pathlib import Path

from messaging_service.shared.phone_numbers import masked
from sms_cli.batch.batch_files import Campaign, unused_columns
from sms_cli.batch.batch_plan import Plan
from sms_cli.batch.batch_results import ERROR
from sms_cli.batch.batch_run import Outcome
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.terminal import out


def show_plan(path: Path, campaign: Campaign, plan: Plan) -> None:
    """Prints what would be sent, and for how much."""
    details = [f"{plan.units:,} SMS units"]
    if plan.unicode_rows:
        details.append(f"{plan.unicode_rows:,} in UCS-2")
    if plan.scheduled_rows:
        details.append(f"{plan.scheduled_rows:,} scheduled")
    prices = ", ".join(f"{units:,} at {kes(price)}" for price, units in sorted(plan.units_by_price.items()))
    say(f"{count_of(plan.rows)} from {path}: {', '.join(details)}")
    say(f"total cost {kes(plan.cost_micros)} KES at the prices of now ({prices})")
    say(f"campaign {campaign.name}, account {campaign.user}")
    if plan.first is not None:
        values = plan.first.draft
        number = values.recipient_phone_number
        say(f"line {plan.first.line}, to {masked(number)}: {values.message.replace(number, masked(number))}")
    numbers, lines = plan.repeated()
    if numbers:
        are = "number is" if numbers == 1 else "numbers are"
        say(f"{numbers:,} {are} repeated: on {lines:,} lines, each of which is a message and charged")
    if plan.expired_rows:
        say(f"{count_of(plan.expired_rows)} expired before now: unless on record already, they will be refused")
    if unused := unused_columns(path, campaign):
        say(f"columns that are not used: {', '.join(unused)}")


def show_outcome(outcome: Outcome, results: Path) -> None:
    """Prints what became of the file."""
    totals = outcome.totals
    counts = {name: totals.statuses[name] for name in ("sent", "pending", "failed", ERROR)}
    words = [f"{count:,} {name}" for name, count in counts.items() if count]
    if outcome.unanswered:
        words.append(f"{outcome.unanswered:,} without an answer")
    if left := outcome.plan.rows - totals.lines - outcome.unanswered:
        words.append(f"{left:,} not sent")
    rate = totals.lines / outcome.seconds if outcome.seconds else 0
    say(f"{count_of(outcome.plan.rows)}: {', '.join(words) or 'none sent'}  ({outcome.seconds:.1f} s, {rate:,.0f}/s)")
    say(f"cost {kes(totals.cost_micros)} KES")
    if totals.replayed:
        earlier = f"{totals.replayed:,} of them were on record before"
        say(f"{earlier}, for {kes(totals.earlier_cost_micros)} KES: not sent or charged again")
    for code, count in totals.errors.most_common():
        say(f"  {count:,} × {code}")
    say(f"the result of each line is in {results}")


def count_of(rows: int) -> str:
    """The number of messages, in words."""
    return f"{rows:,} {'message' if rows == 1 else 'messages'}"


def say(text: str) -> None:
    """Prints a line for a person."""
    out.print(text, markup=False)


def plan_record(campaign: Campaign, plan: Plan) -> dict[str, object]:
    """What would be sent, as JSON; amounts are text, to stay exact."""
    return {
        "dryRun": True,
        "campaign": campaign.name,
        "lines": plan.rows,
        "smsUnits": plan.units,
        "inUcs2": plan.unicode_rows,
        "scheduled": plan.scheduled_rows,
        "expired": plan.expired_rows,
        "repeatedNumbers": plan.repeated()[0],
        "totalCost": kes(plan.cost_micros),
        "currency": "KES",
        "prices": [
            {"costPerUnit": kes(price), "smsUnits": units} for price, units in sorted(plan.units_by_price.items())
        ],
    }
