"""A day of 100,000 one-time codes, and attacks in its busiest hour, judged by the rules with a clock."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from messaging_service.abuse.domain.number_blocks import BlockTraffic, Verdict, block_of
from messaging_service.abuse.domain.recipient_windows import OTPS_TO_A_PHONE, Counted, check_window
from service_kit.errors import ServiceError
from tests.system.effort import effort
from tests.system.synthetic_day import BEGIN, CODES, HOUR, Code, attack, day

SEEDS = effort(1, 20)
BLOCK = "+254799123"
_OF_ONE_COMPANY = 25


class App:
    """An account that wants pumped blocks refused, with what is counted of it."""

    def __init__(self) -> None:
        self.blocks: dict[str, tuple[Sequence[int], Sequence[int]]] = {}
        self.sent: Counter[str] = Counter()
        self.verdicts: dict[Verdict, list[Code]] = defaultdict(list)
        self.too_many: list[Code] = []

    def send(self, code: Code) -> bool:
        """Whether it leaves."""
        block = block_of(code.phone)
        seen, codes = self.blocks.get(block, ((), ()))
        traffic = BlockTraffic.read(seen, codes, code.at_us)
        try:
            check_window("app", Counted.OTPS, OTPS_TO_A_PHONE, traffic.codes_of(code.phone), code.at_us)
        except ServiceError:
            self.too_many.append(code)
            return False
        traffic.sent_in_week = self.sent[block]
        traffic.note(code.phone, code.at_us)
        verdict = traffic.verdict()
        self.verdicts[verdict].append(code)
        leaves = verdict is not Verdict.PUMPED
        if leaves:
            traffic.note_code(code.phone, code.at_us)
            self.sent[block] += 1
        self.blocks[block] = traffic.packed_seen(), traffic.packed_codes()
        return leaves

    def all(self, codes: Sequence[Code]) -> int:
        """How many leave."""
        return sum(map(self.send, codes))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_code_of_a_usual_day_is_taken_for_pumping(seed: int) -> None:
    app = App()
    codes = day(seed)
    assert len(codes) == CODES
    assert app.all(codes) == CODES
    assert Verdict.PUMPED not in app.verdicts
    assert app.too_many == []
    # A company whose people begin work together may look like pumping for a moment: a warning, in a few of many days.
    assert len(app.verdicts[Verdict.SUSPECTED]) <= _OF_ONE_COMPANY


@pytest.mark.parametrize("shuffled", [None, 7])
@pytest.mark.parametrize("every_s", [0.05, 0.5, 5, 15])
def test_of_a_thousand_pumped_numbers_at_most_forty_leave_and_nobody_else_is_refused(
    shuffled: int | None, every_s: float
) -> None:
    app = App()
    pumped = attack(BLOCK, BEGIN + 8 * HOUR, every_us=int(every_s * 1e6), shuffled=shuffled)
    numbers = {code.phone for code in pumped}
    users = [code for code in day(1, 20_000) if block_of(code.phone) != BLOCK]
    left = Counter(code.phone in numbers for code in sorted([*users, *pumped]) if app.send(code))
    assert left[True] <= 40
    assert left[False] == len(users)
    assert {block_of(code.phone) for code in app.verdicts[Verdict.PUMPED]} == {BLOCK}
    # The account was warned long before.
    assert min(app.verdicts[Verdict.SUSPECTED] + app.verdicts[Verdict.PUMPED]).at_us <= pumped[10].at_us
