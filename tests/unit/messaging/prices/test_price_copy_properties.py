"""Any interleaving of changes, news, questions, breaks and restarts: the copy never says what the book did not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_service.prices.domain.price_copy import Answer, Asking, Change, Key, PriceCopy
from messaging_service.shared.domain.money import Price, PriceLevel, SendPrice
from tests.system.effort import effort

START = datetime(2026, 3, 1, tzinfo=UTC)
KNOWN = datetime(2025, 1, 1, tzinfo=UTC)
"""Each change is recorded a microsecond after the one before: so its instant is told from every other."""
MICROSECOND = timedelta(microseconds=1)
STALE_S, SILENCE_S = 40.0, 5.0
KEYS: list[Key] = [("a", None), ("a", "x"), ("b", "x")]
TIERS = [
    Change(PriceLevel.SPECIFIC_CUSTOMER, "a"),
    Change(PriceLevel.SPECIFIC_CUSTOMER, "b"),
    Change(PriceLevel.APP_OWNER, "x"),
    Change(PriceLevel.DIRECT_CUSTOMER, None),
    Change(PriceLevel.TUKUPAY, None),
]


@dataclass
class Row:
    tier: Change
    effective: float
    recorded: int
    """Epoch."""
    withdrawn: int | None = None


@dataclass
class Question:
    asking: Asking
    key: Key
    answer: Answer | None = None


@dataclass
class World:
    """A price book with its whole history, the wire, and a copy; both clocks run alike."""

    time: float = 0.0
    rows: list[Row] = field(default_factory=list)
    epoch: int = 0
    news: list[tuple[int, list[Change]]] = field(default_factory=list)
    """Under way to the copy."""
    connected: bool = False
    opened: bool = False
    told: int = 0
    """The last epoch put on the wire."""
    last_word: float | None = None
    questions: list[Question] = field(default_factory=list)
    copy: PriceCopy = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.disconnect()
        self.questions = []
        self.last_word = None
        self.copy = PriceCopy(capacity=4, silence_s=SILENCE_S, stale_s=STALE_S, clock=lambda: self.time)

    # The book.

    def winner(self, key: Key, at: float, epoch: int) -> int | None:
        """The row that prices a send at an instant, as known at an epoch."""
        customer, app = key
        tiers = [TIERS[0] if customer == "a" else TIERS[1], TIERS[3], TIERS[4]]
        if app is not None:
            tiers.insert(1, Change(PriceLevel.APP_OWNER, app))
        for tier in tiers:
            standing = [
                (row.effective, row.recorded, number)
                for number, row in enumerate(self.rows)
                if row.tier == tier
                and row.effective <= at
                and row.recorded <= epoch
                and (row.withdrawn is None or row.withdrawn > epoch)
            ]
            if standing:
                return max(standing)[2]
        return None

    def resolve(self, key: Key) -> Answer | None:
        """As the book answers now."""
        won = self.winner(key, self.time, self.epoch)
        if won is None:
            return None
        later = sorted({row.effective for row in self.rows if row.effective > self.time})
        ends = (instant for instant in later if self.winner(key, instant, self.epoch) != won)
        until = next((moment(end) for end in ends), None)
        return Answer(price(won), moment(self.time), until, KNOWN + self.epoch * MICROSECOND)

    def record(self, tier: Change, delay: float) -> None:
        self.epoch += 1
        self.rows.append(Row(tier, self.time + delay, self.epoch))
        self.tell([tier])

    def withdraw(self, choice: int) -> None:
        pending = [row for row in self.rows if row.effective > self.time and row.withdrawn is None]
        if pending:
            row = pending[choice % len(pending)]
            self.epoch += 1
            row.withdrawn = self.epoch
            self.tell([row.tier])

    # The wire.

    def tell(self, changes: list[Change]) -> None:
        if not self.connected:
            return
        self.told = self.epoch
        last = self.news[-1] if self.news else None
        if changes and last is not None and last[1]:
            # A watcher that is behind gets several at once.
            self.news[-1] = (self.epoch, last[1] + changes)
        else:
            self.news.append((self.epoch, changes))

    def connect(self) -> None:
        self.disconnect()
        self.connected = True
        self.news.append((self.epoch, []))

    def disconnect(self) -> None:
        self.connected, self.opened, self.news = False, False, []
        if hasattr(self, "copy"):
            self.copy.watch_broke()

    def deliver(self) -> None:
        if not self.news:
            return
        epoch, changes = self.news.pop(0)
        if self.opened:
            self.copy.watch_told(epoch, changes)
        else:
            self.opened = True
            self.copy.watch_opened(epoch)
        self.last_word = self.time

    def ask(self, key: Key) -> None:
        self.questions.append(Question(self.copy.asking(), key))

    def learn(self, key: Key) -> None:
        """A question with its answer, undisturbed."""
        self.ask(key)
        question = self.questions.pop()
        question.answer = self.resolve(key)
        if question.answer is not None:
            self.copy.learn(question.asking, key, question.answer)

    def answer(self, choice: int) -> None:
        if self.questions:
            question = self.questions[choice % len(self.questions)]
            question.answer = question.answer or self.resolve(question.key)

    def land(self, choice: int) -> None:
        answered = [question for question in self.questions if question.answer is not None]
        if answered:
            question = answered[choice % len(answered)]
            assert question.answer is not None
            self.questions.remove(question)
            self.copy.learn(question.asking, question.key, question.answer)

    # What must hold.

    def check(self) -> None:
        for key in KEYS:
            for delay in (None, 0.0, 3.0, 30.0):
                at = None if delay is None else moment(self.time + delay)
                given = self.copy.price_of(key, at)
                if given is None:
                    continue
                assert self.last_word is not None
                assert self.time - self.last_word < STALE_S
                assert self.copy.epoch is not None
                said = {
                    self.winner(key, self.time + (delay or 0.0), epoch)
                    for epoch in range(self.copy.epoch, self.epoch + 1)
                }
                assert int(given.price.cost_id) in said
                assert at is None or given.at == at
                assert int(given.price.cost_id) == self.derived(key, given)

    def derived(self, key: Key, given: SendPrice) -> int | None:
        """What the book says to the instants that a message keeps beside its price."""
        assert given.known_at is not None
        # Half a tick later: instants are cut to microseconds, the times of this book are not.
        at = (given.at - START).total_seconds() + 5e-7
        return self.winner(key, at, (given.known_at - KNOWN) // MICROSECOND)

    def check_equal(self) -> None:
        """With all news delivered, what is held is what the book says."""
        while self.news:
            self.deliver()
        for key in KEYS:
            given = self.copy.price_of(key, None)
            assert given is None or int(given.price.cost_id) == self.winner(key, self.time, self.epoch)


def price(row: int) -> Price:
    return Price(Decimal(1), str(row), PriceLevel.TUKUPAY)


def moment(time: float) -> datetime:
    return START + timedelta(seconds=time)


numbers = st.integers(min_value=0, max_value=5)
keys = st.sampled_from(KEYS)
steps = st.one_of(
    *[st.tuples(st.just("record"), st.sampled_from(TIERS), st.sampled_from([-10.0, 0.0, 0.5, 4.0, 20.0]))] * 2,
    st.tuples(st.just("withdraw"), numbers),
    st.tuples(st.sampled_from(["connect", "connect", "disconnect", "restart", "beat"])),
    *[st.tuples(st.just("deliver"))] * 3,
    *[st.tuples(st.just("learn"), keys)] * 3,
    st.tuples(st.just("ask"), keys),
    st.tuples(st.just("answer"), numbers),
    st.tuples(st.just("land"), numbers),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 1.0, 4.0, 25.0])),
)


@settings(max_examples=effort(200, 5_000), deadline=None)
@given(st.lists(steps, min_size=20, max_size=60))
def test_the_copy_says_only_what_the_book_said_since_its_last_word(told: list[tuple[object, ...]]) -> None:
    world = World()
    world.record(TIERS[4], -1.0)
    world.connect()
    world.deliver()
    for name, *arguments in told:
        if name == "beat":
            world.tell([])
        elif name == "wait":
            world.time += float(str(arguments[0]))
        else:
            getattr(world, str(name))(*arguments)
        world.check()
    if world.connected:
        world.check_equal()
