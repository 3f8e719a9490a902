"""How the outbox is watched."""

from __future__ import annotations

from dataclasses import dataclass

from service_kit.settings import integer, seconds, setting


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What watches of entries and accounts may take."""

    watch_poll_s: float = setting(
        "MESSAGING_WATCH_POLL_S",
        "most seconds between two looks for new events while somebody watches",
        parse=seconds(0.02, 60),
        default=0.25,
        guide="guides/watching.md",
    )
    max_watches: int = setting(
        "MESSAGING_MAX_WATCHES",
        "most watches of entries and accounts that a process serves at a time",
        parse=integer(0, 100_000),
        default=1_000,
    )
    watch_buffer: int = setting(
        "MESSAGING_WATCH_BUFFER",
        "most events that may wait for one watcher; more end its watch",
        parse=integer(1, 1_000_000),
        default=10_000,
    )
    watch_resume_s: float = setting(
        "MESSAGING_WATCH_RESUME_S",
        "seconds for which a cursor of a watch may be used",
        parse=seconds(60, 30 * 86_400),
        default=86_400.0,
    )
