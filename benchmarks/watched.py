"""A run that is looked into: samples of the Python processes, and the statements of PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from benchmarks import profiling, statements
from benchmarks.own_system import OwnSystem
from benchmarks.statements import Statement, Table

_PYTHON_PARTS = ("gateway", "messaging", "pricing", "sandbox")


class Watched:
    """Looks on at one run."""

    def __init__(self, system: OwnSystem, seconds: float, folder: Path) -> None:
        """`folder` takes the samples."""
        self._url = system.database_url
        pids = {part: system.pids[part] for part in _PYTHON_PARTS}
        self._recording = profiling.Recording(pids, seconds, folder)
        self._statements: list[Statement] = []
        self._tables: list[Table] = []
        self._messages = 0

    async def begin(self) -> None:
        """The window opens. Raises RuntimeError without py-spy."""
        await statements.reset(self._url)
        self._recording.start()

    async def end(self, messages: int) -> None:
        """The window closes; so many messages reached the carrier meanwhile."""
        self._messages = messages
        self._statements = await statements.read(self._url, messages)
        self._tables = await statements.read_tables(self._url)

    async def report(self, heading: str) -> str:
        """What took the time, as text."""
        profiles = await self._recording.finish()
        by_statement = statements.report(self._statements, self._tables, self._messages)
        return f"{profiling.report(profiles, heading)}\n{by_statement}"

    def stop(self) -> None:
        """Ends what is still at work."""
        self._recording.stop()
