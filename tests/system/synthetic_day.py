"""A day of one-time codes as a large app sends them: many users, busy hours, people who ask again, and an attack."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

CODES: Final = 100_000
USERS: Final = 60_000
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
BEGIN: Final = 1_790_000_000 * SECOND
"""The first instant of the day, in microseconds since 1970."""

_PREFIXES: Final = [f"+2547{digits:02}" for digits in (*range(30), *range(40, 49), 57, 58, 59, *range(90, 100))]
"""Ranges of a million mobile numbers each."""
_BY_HOUR: Final = (2, 1, 1, 1, 1, 3, 7, 12, 16, 14, 11, 10, 12, 11, 9, 9, 10, 12, 15, 17, 15, 11, 7, 4)
"""How busy each hour is, against the others."""
_TEAMS: Final = 40
_OF_A_TEAM: Final = 25
"""Phones of companies, whose numbers follow one another, and whose people begin work within two hours."""
_ASKS_AGAIN: Final = (0.22, 0.3, 0.3)
"""The share of users who ask for another code after the first, the second and the third."""


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """One code that is asked for."""

    at_us: int
    phone: str


def day(seed: int, codes: int = CODES) -> Sequence[Code]:
    """The codes of a day, in the order of their instants."""
    chance = random.Random(seed)
    users = [f"{chance.choice(_PREFIXES)}{chance.randrange(10**6):06}" for _ in range(USERS)]
    asked: list[Code] = []
    for team in range(_TEAMS):
        first = 100_000 + team * 1_003
        for member in range(_OF_A_TEAM):
            at = BEGIN + 7 * HOUR + chance.randrange(2 * HOUR)
            asked.extend(_asking(chance, f"+254722{first + member:06}", at))
    seen: set[tuple[str, int]] = set()
    while len(asked) < codes:
        (hour,) = chance.choices(range(24), weights=_BY_HOUR)
        phone, at = chance.choice(users), BEGIN + hour * HOUR + chance.randrange(HOUR)
        # Nobody logs in twice within a quarter of an hour.
        quarter = at // (15 * MINUTE)
        if seen.isdisjoint((phone, each) for each in (quarter - 1, quarter, quarter + 1)):
            seen.add((phone, quarter))
            asked.extend(_asking(chance, phone, at))
    return sorted(asked)[:codes]


def _asking(chance: random.Random, phone: str, at: int) -> Iterator[Code]:
    yield Code(at, phone)
    for share in _ASKS_AGAIN:
        if chance.random() > share:
            return
        at += chance.randrange(25, 180) * SECOND
        yield Code(at, phone)


def attack(block: str, begin_us: int, *, every_us: int = SECOND // 2, shuffled: int | None = None) -> Sequence[Code]:
    """All thousand numbers of a block, one after the other, or in the mixed order of a seed."""
    places = list(range(1_000))
    if shuffled is not None:
        random.Random(shuffled).shuffle(places)
    return [Code(begin_us + number * every_us, f"{block}{place:03}") for number, place in enumerate(places)]


def by_minute(codes: Sequence[Code]) -> Iterator[Sequence[Code]]:
    """The codes of each minute that has some."""
    edges = [0, *(n for n in range(1, len(codes)) if codes[n].at_us // MINUTE != codes[n - 1].at_us // MINUTE)]
    for begin, end in pairwise([*edges, len(codes)]):
        yield codes[begin:end]
