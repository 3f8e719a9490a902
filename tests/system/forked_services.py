"""Services as real processes that need not import everything anew.

Importing takes a service most of the processor time of its start, and the suite starts some hundreds. One process
imports all of them once and forks for each start: environment, log, signals and exit code are the service's own.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Final

from service_kit.embedded.bound_process import bound_command

IMPORTED: Final = (
    "messaging_service.wiring.bootstrap",
    "pricing_service.bootstrap",
    "gateway_http.bootstrap",
    "sandbox_carriers.smpp.sandbox_carrier",
)
"""What takes long to import. Whatever else a service needs it imports itself."""
_REQUEST_BYTES: Final = 1 << 20
_PATIENCE_S: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1


class ForkedService:
    """One service, as far as `subprocess.Popen` shows a process."""

    def __init__(self, command: Sequence[str], pid: int, ending: int) -> None:
        """`ending`: a descriptor from which the exit code can be read when the process has ended."""
        self.pid = pid
        self.returncode: int | None = None
        self._command = command
        self._ending = ending

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._look(0)

    def wait(self, timeout_s: float) -> int:
        """The exit code at its end; raises subprocess.TimeoutExpired."""
        code = self._look(timeout_s)
        if code is None:
            raise subprocess.TimeoutExpired(list(self._command), timeout_s)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, timeout_s: float) -> int | None:
        if self.returncode is None and select.select([self._ending], [], [], timeout_s)[0]:
            self.returncode = int(os.read(self._ending, 64) or -signal.SIGKILL)
            os.close(self._ending)
        return self.returncode


class ForkedServices:
    """The process that forks."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_PATIENCE_S)
        with theirs:
            program = [sys.executable, "-m", "tests.system.forked_services", str(theirs.fileno())]
            self._process = subprocess.Popen(
                bound_command(program, death_signal=signal.SIGKILL),
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> ForkedService:
        """Starts what `python *arguments` runs, which is `-m` and a module, or a file; it writes to the log."""
        request = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        assert len(request) < _REQUEST_BYTES
        ending, theirs = os.pipe()
        try:
            socket.send_fds(self._socket, [request], [log.fileno(), theirs])
        finally:
            os.close(theirs)
        return ForkedService(arguments, int(self._socket.recv(64)), ending)

    def close(self) -> None:
        """Ends the process that forks, and kills the services that are left."""
        self._socket.close()
        self._process.wait(_PATIENCE_S)


@cache
def forked_services() -> ForkedServices:
    """Those of this test process."""
    made = ForkedServices()
    atexit.register(made.close)
    return made


def _next_child(requests: socket.socket) -> list[str] | None:
    """Forks at each request. Returns in each child, with its arguments, and with None when no more requests come."""
    endings: dict[int, int] = {}
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _tell_ended(endings)
        if requests not in ready:
            continue
        request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 2)
        if not request:
            return None
        parent, child = os.getpid(), os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (requests, woken, wake):
                end.close()
            for descriptor in endings.values():
                os.close(descriptor)
            return _become(json.loads(request), parent, *descriptors)
        log, endings[child] = descriptors
        os.close(log)
        requests.send(b"%d" % child)


def _tell_ended(endings: dict[int, int]) -> None:
    while endings:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with os.fdopen(endings.pop(pid), "wb") as ending:
            ending.write(b"%d" % os.waitstatus_to_exitcode(status))


def _become(request: Mapping[str, object], parent: int, log: int, ending: int) -> list[str]:
    """Makes this child process what `Popen` would have made; its arguments."""
    arguments, environment = request["arguments"], request["environment"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    os.close(ending)
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)
    for target in (1, 2):
        os.dup2(log, target)
    os.close(log)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    return arguments


def _run(arguments: Sequence[str]) -> None:
    if arguments[0] == "-m":
        sys.argv = [arguments[1], *arguments[2:]]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        runpy.run_path(arguments[0], run_name="__main__")


def _main() -> None:
    for name in IMPORTED:
        import_module(name)
    # What was imported is not touched by the collector of a child, and stays shared with it.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        arguments = _next_child(requests)
    if arguments is not None:
        _run(arguments)


if __name__ == "__main__":
    _main()
