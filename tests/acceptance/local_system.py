"""A real `tukupay-sms up` in a process of its own, on free ports and a home of its own."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.system.forked_commands import COLUMNS, forked_commands
from tests.system.ports import free_port

READY = "Ctrl-C stops everything"
_START_S = 60.0
_STOP_S = 60.0


def free_addresses() -> dict[str, str]:
    """A free loopback address for every setting of a local system."""
    names = (
        *("PRICING_GRPC", "MESSAGING_GRPC", "GATEWAY_HTTP", "SANDBOX_SMPP", "SANDBOX_HTTP"),
        *("PRICING_METRICS", "MESSAGING_METRICS", "GATEWAY_METRICS"),
    )
    ports: set[int] = set()
    while len(ports) < len(names):
        ports.add(free_port())
    return {f"{name}_ADDRESS": f"127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}


class Begun(subprocess.Popen[str]):
    """A command that still runs; leaving it as a context ends it, whatever the test came to."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
        super().__exit__(kind, value, traceback)

    def end(self) -> None:
        """Kills it unless it has ended."""
        if self.poll() is None:
            self.kill()


class LocalSystem:
    """The commands of `tukupay-sms` on one home."""

    def __init__(self, home: Path, addresses: Mapping[str, str]) -> None:
        self.home = home
        self.addresses = addresses
        self.output: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        self._begun: list[Begun] = []
        self._environment = {"PATH": os.environ["PATH"], "TUKUPAY_HOME": str(home), "COLUMNS": COLUMNS, **addresses}

    def start(self, *launcher: str, arguments: Sequence[str] = ()) -> None:
        """Starts `up` with arguments, without waiting; a `launcher` is given the command and runs it in its place."""
        self.output.clear()
        self._lines = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [*launcher, *self._command("up", *arguments)],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()

    def up(self) -> float:
        """Starts `up`, waits until it is ready, and gives the seconds that took."""
        begun = time.monotonic()
        self.start()
        self.wait_for(READY)
        return time.monotonic() - begun

    def wait_for_part(self, word: str, part: str) -> str:
        """The next line that says so of a part, such as `died` of `pricing`: other tests' parts die, too."""
        return self.wait_for(f"{word:<7}{part}")

    def wait_until_back(self, part: str) -> None:
        """Returns when a part is back that was killed, and the gateway has found it: the next test needs both."""
        self.wait_for_part("back", part)
        assert eventually(self._is_ready)

    def wait_for(self, text: str, timeout_s: float = _START_S) -> str:
        """The next line of output with that text; fails with the whole output when it does not come."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no {text!r} in the output:\n" + "".join(self.output) + self._logs())
            if text in line:
                return line

    def _is_ready(self) -> bool:
        try:
            return self.http("GATEWAY_HTTP_ADDRESS", "/readyz")[0] == 200
        except (OSError, HTTPException):
            return False

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to `up`."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Waits for the end of `up` and gives its exit code."""
        assert self._process is not None
        return self._process.wait(_STOP_S)

    def down(self) -> int:
        """Stops everything as Ctrl-C does."""
        self.signal(signal.SIGINT)
        return self.wait()

    def clean_up(self) -> None:
        """Leaves nothing behind, whatever happened."""
        for command in self._begun:
            with command:
                command.end()
        if self._process is not None:
            if self._process.poll() is None:
                self.down()
            if self._process.stdout is not None:
                assert eventually(lambda: not self.processes())
        shutil.rmtree(self.home, ignore_errors=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of `tukupay-sms` on the same home, without our ports in its environment."""
        environment = {name: text for name, text in self._environment.items() if name not in self.addresses}
        return forked_commands().run(arguments, environment)

    def begin(self, *arguments: str) -> Begun:
        """Starts another command as `run` does, without waiting for its end, which `clean_up` sees to at the latest."""
        environment = {name: text for name, text in self._environment.items() if name not in self.addresses}
        command = Begun(
            self._command(*arguments),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._begun.append(command)
        return command

    def processes(self) -> dict[int, str]:
        """Everything that runs on this home, as process id and command line."""
        found: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            try:
                ours = f"TUKUPAY_HOME={self.home}\0".encode() in (entry / "environ").read_bytes()
                database = (entry / "cwd").readlink() == self.home / "postgres"
                if entry.name.isdigit() and (ours or database):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def pid_of(self, module: str) -> int:
        """The process that runs a module."""
        (pid,) = (pid for pid, command in self.processes().items() if command.rstrip().endswith(f"-m {module}"))
        return pid

    def kill(self, process_id: int) -> None:
        """Kills a process of ours; from here on `wait_for` finds only what is printed afterwards."""
        while not self._lines.empty():
            self._lines.get_nowait()
        os.kill(process_id, signal.SIGKILL)

    def http(self, setting: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Status and JSON of a GET, or of a POST when there is a body."""
        request = urllib.request.Request(
            f"http://{self.addresses[setting]}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "sms_cli", *arguments]

    def _read(self, process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                self.output.append(line)
                lines.put(line)
        lines.put(None)

    def _logs(self) -> str:
        logs = (self.home / "logs").glob("*.log")
        return "".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in logs)


def eventually(condition: Callable[[], bool], deadline_s: float = 40.0) -> bool:
    """Whether a condition comes true in time."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
