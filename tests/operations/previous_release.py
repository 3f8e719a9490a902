"""Processes of the release before, run from a checkout of it by this Python, which has all that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from typing_extensions import override

from tests.system.process import Process
from tests.system.running import System

PREVIOUS: Final = "TUKUPAY_PREVIOUS_RELEASE"
"""The environment variable with the folder of a checkout of the release before."""


class ProcessOfRelease(Process):
    """A process that is started from another checkout."""

    folder: Path

    @override
    def launch(self, arguments: Sequence[str] | None = None, **settings: str) -> None:
        with self.log_file.open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, *(arguments or self.arguments)],
                cwd=self.folder,
                env={**self._environment, **settings, **of_release(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        # It answers to the same calls.
        self._process = cast("Any", started)


def of_release(folder: Path) -> dict[str, str]:
    """What has Python import a checkout in place of this one."""
    return {"PYTHONPATH": f"{folder}{os.pathsep}{folder / 'protos' / 'gen'}"}


def run_services_of(system: System, folder: Path) -> None:
    """Has a system that is not started run the pricing, messaging and gateway of a checkout."""
    for process in (system.pricing, system.messaging, system.gateway):
        process.__class__ = ProcessOfRelease
        cast("ProcessOfRelease", process).folder = folder
