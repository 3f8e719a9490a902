"""One child process of a running system."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.system.forked_services import ForkedService, forked_services
from tests.system.waiting import until

READY_S = 30.0
STOP_S = 30.0
"""In which a service promises to be gone after SIGTERM."""


class Process:
    """A service that tests start, stop, kill and freeze; it does not outlive them."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log_file: Path,
        is_ready: Callable[[], bool],
    ) -> None:
        """`arguments`: those of Python, which are `-m` and a module, or the path of a program."""
        self.name = name
        self.arguments = arguments
        self.log_file = log_file
        self._environment = environment
        self._is_ready = is_ready
        self._process: ForkedService | None = None

    @property
    def is_running(self) -> bool:
        """Whether the latest launch has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the latest launch."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that all launches wrote."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def launch(self, arguments: Sequence[str] | None = None, **settings: str) -> None:
        """Starts it without waiting, with some settings changed, or as another program."""
        assert not self.is_running, f"{self.name} runs already"
        with self.log_file.open("ab") as log:
            environment = {**self._environment, **settings}
            self._process = forked_services().start(arguments or self.arguments, environment, log)

    def start(self, arguments: Sequence[str] | None = None, **settings: str) -> None:
        """Starts it and waits until it does its work."""
        self.launch(arguments, **settings)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Returns when the process does its work; fails at once when it ends instead."""

        def ready_or_over() -> bool:
            return not self.is_running or self._is_ready()

        until(f"{self.name} is ready; its log ends\n{self.log[-3000:]}", ready_or_over, READY_S)
        assert self.is_running, f"{self.name} ended:\n{self.log[-3000:]}"

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, deadline_s: float = STOP_S) -> int:
        """Waits for the end; the exit code, negative for a signal."""
        assert self._process is not None
        return self._process.wait(deadline_s)

    def kill(self) -> None:
        """SIGKILL, and waits for the end; also of a frozen process."""
        self.signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> None:
        """SIGTERM without waiting; also of a frozen process. Harmless when it is not running."""
        if self.is_running:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM, and waits for the end; SIGKILL, and a failure, when it does not come in time."""
        self.terminate()
        if self.is_running:
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.kill()
                raise
