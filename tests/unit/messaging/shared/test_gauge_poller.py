"""Looking at the queue now and then, and showing what was seen."""

from __future__ import annotations

import asyncio
import math

import pytest
from prometheus_client import CollectorRegistry

from messaging_service.sending.metrics.queue_metrics import QueueMetrics
from messaging_service.sending.queue_state import QueueState, Waiting
from messaging_service.shared.domain.states import Priority
from messaging_service.shared.gauge_poller import GaugePoller
from tests.doubles.messaging_fakes import RecordedLog, unavailable, until

pytestmark = pytest.mark.timeout(10)

SEEN = QueueState(
    messages={(Priority.HIGH, Waiting.DUE): 7},
    oldest_due_s={Priority.HIGH: 12.5},
    receipts_new=1,
    receipts_unmatched=2,
    receipts_orphaned=3,
)
EMPTY = QueueState({}, {}, 0, 0, 0)


class Queue:
    """Implements View: shows one state after the other, or fails as told."""

    def __init__(self, *states: QueueState | Exception) -> None:
        self._states = list(states)
        self.looks = 0

    async def look(self) -> QueueState:
        self.looks += 1
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if isinstance(state, Exception):
            raise state
        return state


async def watched(queue: Queue, metrics: QueueMetrics, looks: int, every_s: float = 0.0) -> RecordedLog:
    log = RecordedLog()
    task = asyncio.ensure_future(GaugePoller(queue, metrics, log, duty="queue_look", every_s=every_s).run())
    await until(lambda: queue.looks >= looks)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    return log


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"tukupay_{name}", labels)


async def test_what_was_seen_is_shown_with_its_age_and_with_noughts_for_the_rest() -> None:
    now, registry = [100.0], CollectorRegistry()
    metrics = QueueMetrics(registry, clock=lambda: now[0])
    assert value(registry, "queue_look_age_seconds") == math.inf
    await watched(Queue(SEEN), metrics, 1, every_s=60)
    now[0] += 4
    assert value(registry, "queue_look_age_seconds") == 4
    assert value(registry, "queue_messages", lane="high", state="due") == 7
    assert value(registry, "queue_messages", lane="normal", state="unknown") == 0
    assert value(registry, "queue_oldest_due_seconds", lane="high") == 12.5
    assert value(registry, "queue_oldest_due_seconds", lane="normal") == 0
    assert [value(registry, "receipts_waiting", state=state) for state in ("new", "unmatched", "orphaned")] == [1, 2, 3]


async def test_what_is_gone_is_not_shown_any_more() -> None:
    registry = CollectorRegistry()
    await watched(Queue(SEEN, EMPTY), QueueMetrics(registry), 2)
    assert value(registry, "queue_messages", lane="high", state="due") == 0
    assert value(registry, "queue_oldest_due_seconds", lane="high") == 0


async def test_a_look_that_fails_leaves_the_figures_and_the_next_one_comes() -> None:
    registry = CollectorRegistry()
    queue = Queue(SEEN, unavailable(), RuntimeError("unforeseen"), SEEN)
    log = await watched(queue, QueueMetrics(registry), 4)
    assert log.lines == [
        ("upkeep_failed", "queue_look", "DATABASE_UNAVAILABLE"),
        ("upkeep_crashed", "queue_look", "unforeseen"),
    ]
    assert value(registry, "queue_messages", lane="high", state="due") == 7


async def test_nobody_who_scrapes_makes_it_look() -> None:
    registry, queue = CollectorRegistry(), Queue(SEEN)
    metrics = QueueMetrics(registry)
    await watched(queue, metrics, 1, every_s=60)
    for _ in range(10):
        list(registry.collect())
    assert queue.looks == 1
