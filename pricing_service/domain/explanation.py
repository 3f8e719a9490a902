"""Why a price is what it is: every row that was considered, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from pricing_service.domain.cost import Cost
from pricing_service.domain.resolution import Resolution, resolve, standing
from pricing_service.domain.tier import Tier

MAX_CANDIDATES = 1_000
"""Rows in one explanation."""


class Verdict(Enum):
    """What became of a row that was considered."""

    WON = "won"
    WEAKER_LEVEL = "weaker_level"
    SUPERSEDED = "superseded"
    REVISED = "revised"
    NOT_YET_EFFECTIVE = "not_yet_effective"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row that was considered."""

    cost: Cost
    """As it was known."""
    verdict: Verdict
    explanation: str
    """A sentence for a person."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A resolution with its reasons."""

    resolution: Resolution
    candidates: Sequence[Candidate]
    """By tier, the strongest first; within one the newest `effective_from` and revision first."""


def explain(
    tiers: Sequence[Tier], rows: Mapping[Tier, Sequence[Cost]], at: datetime, known_at: datetime | None
) -> Explanation:
    """Resolves from rows, and judges each.

    `rows` has every tier, and of a long history at least the row in effect, the next one, and the nearest on
    both sides of the instant.
    """
    known = {tier: [row.as_known(known_at) for row in rows[tier] if row.is_known(known_at)] for tier in tiers}
    standings = {tier: standing(known[tier], at, known_at) for tier in tiers}
    resolution = resolve(tiers, standings)
    candidates: list[Candidate] = []
    for tier in tiers:
        newest_first = sorted(known[tier], key=lambda row: (row.effective_from, row.revision), reverse=True)
        candidates += _judge_tier(newest_first, standings[tier].cost, resolution.cost, at)
    return Explanation(resolution, candidates)


def _judge_tier(
    newest_first: Sequence[Cost], in_effect: Cost | None, winner: Cost | None, at: datetime
) -> list[Candidate]:
    candidates: list[Candidate] = []
    newer: Cost | None = None
    for row in newest_first:
        candidates.append(_judge(row, newer, in_effect, winner, at))
        if row.withdrawal is None:
            newer = row
    return candidates


def _judge(row: Cost, newer: Cost | None, in_effect: Cost | None, winner: Cost | None, at: datetime) -> Candidate:
    """`newer` is the row that counts and comes next in the tier, by instant and revision."""
    if row.withdrawal is not None:
        taken = row.withdrawal
        why = f"was withdrawn by {taken.withdrawn_by} on {_day(taken.withdrawn_at)}: {taken.reason}"
        return Candidate(row, Verdict.WITHDRAWN, why)
    if newer is not None and newer.effective_from == row.effective_from:
        why = f"was replaced by revision {newer.revision} ({newer.cost_id}), recorded {_day(newer.recorded_at)}"
        return Candidate(row, Verdict.REVISED, why)
    if row.effective_from > at:
        why = f"takes effect on {_day(row.effective_from)}, after the instant that was priced for"
        return Candidate(row, Verdict.NOT_YET_EFFECTIVE, why)
    if in_effect is None or row.cost_id != in_effect.cost_id:
        by = f" by {newer.cost_id}, in effect from {_day(newer.effective_from)}" if newer else ""
        return Candidate(row, Verdict.SUPERSEDED, f"was superseded{by}")
    if winner is None or row.cost_id != winner.cost_id:
        stronger = winner.tier if winner else row.tier
        why = f"is in effect, but {_name(stronger)} comes before {_name(row.tier)} and has a price in effect"
        return Candidate(row, Verdict.WEAKER_LEVEL, why)
    why = (
        f"applies: {_name(row.tier)} is the strongest level with a price in effect, and this is its newest row, "
        f"in effect since {_day(row.effective_from)}"
    )
    return Candidate(row, Verdict.WON, why)


def nearest(before: Sequence[Cost], after: Sequence[Cost], limit: int) -> list[Cost]:
    """At most `limit` rows, half from each side where both have as many; each side has its nearest rows first."""
    half = limit // 2
    from_before = max(half, limit - len(after))
    return [*before[:from_before], *after[: limit - min(len(before), from_before)]]


def _name(tier: Tier) -> str:
    return f"{tier.level} {tier.entity}".strip()


def _day(instant: datetime) -> str:
    text = instant.replace(tzinfo=None).isoformat(sep=" ")
    return f"{text.removesuffix(' 00:00:00')} UTC"
