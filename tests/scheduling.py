"""Which tests run one after another in the same process when several processes run the suite."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from typing_extensions import override
from xdist.scheduler import LoadFileScheduling

ROOT: Final = Path(__file__).parents[1]
SHARED: Final = {"running": "running: LocalSystem", "system": "system: System"}
"""Started systems of tests/acceptance/conftest.py, and how a test asks for them."""


IN_PARTS: Final = ("tests/faults/test_database_faults.py",)
"""Files with a system for each value of their first parameter: long waits, that can go on side by side."""


@cache
def scope_of(file: str) -> str:
    """The file, or what it shares with others: a system that is started once takes its place in one process."""
    if file.startswith("tests/acceptance/"):
        text = (ROOT / file).read_text()
        for fixture, argument in SHARED.items():
            if argument in text and f"def {fixture}(" not in text:
                return f"tests/acceptance: {fixture}"
    return file


class ByFileOrSystem(LoadFileScheduling):  # type: ignore[misc]  # it ships no annotations
    """As `--dist loadfile`, but for files that share a system, and for those that have several."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        if file in IN_PARTS:
            return f"{file}::{test.partition('[')[2].partition('-')[0]}"
        return scope_of(file)
