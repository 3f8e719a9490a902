"""The sandbox carrier as a test sees it: what phones show, and the carrier's own record of what it took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from tests.system.waiting import until


class SandboxPhones:
    """Reads the sandbox's HTTP side and its journal."""

    def __init__(self, base_url: str, journal: Path) -> None:
        self._http = httpx.Client(base_url=base_url, trust_env=False, timeout=10)
        self._journal = journal

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def stats(self) -> dict[str, int]:
        """The carrier's counts."""
        counts: dict[str, int] = self._http.get("/stats").raise_for_status().json()
        return counts

    def is_up(self) -> bool:
        """Whether the sandbox answers."""
        try:
            return self._http.get("/stats").is_success
        except httpx.TransportError:
            return False

    def on(self, number: str) -> list[dict[str, Any]]:
        """The messages that came for a phone, oldest first, refused and unanswered ones included."""
        messages: list[dict[str, Any]] = self._http.get(f"/phones/{number}").raise_for_status().json()["messages"]
        return messages[::-1]

    def shown_on(self, number: str) -> list[str]:
        """The texts that a phone shows, oldest first."""
        return [message["text"] for message in self.on(number) if message["onPhone"]]

    def wait_for(self, number: str, count: int = 1) -> list[str]:
        """The texts of a phone once it shows so many."""
        until(f"{count} messages on the phone", lambda: len(self.shown_on(number)) >= count)
        return self.shown_on(number)

    def taken(self) -> list[dict[str, Any]]:
        """Every part that the carrier ever took, over all of its restarts, in order."""
        if not self._journal.exists():
            return []
        # The last line may be in the making.
        complete = self._journal.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines()]

    def taken_for(self, number: str) -> list[dict[str, Any]]:
        """The parts that the carrier took for one phone."""
        return [part for part in self.taken() if part["recipient"] == number]
