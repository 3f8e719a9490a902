"""Commands of `tukupay-sms` as real processes that need not import everything anew.

Importing takes a command most of its processor time, and the suite runs some hundreds of them. One process imports all
of it once and forks for each command: environment, arguments, output and exit code are the command's own.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

IMPORTED: Final = (
    "sms_cli.application",
    # What commands would import when they begin to run.
    *("email.message", "http.client", "importlib.metadata", "phonenumbers", "psycopg", "rich._emoji_codes"),
    *("typer._adapters", "pydantic.functional_validators", "pydantic.json_schema", "pydantic.type_adapter"),
)
_TIMEOUT_S = 60.0
_REQUEST_BYTES = 1 << 20
# As wide as the tables of the tests are; a console measures its terminal when it is made, which is before the fork.
COLUMNS = "200"


class ForkedCommands:
    """Runs commands one after another."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_TIMEOUT_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.forked_commands", str(theirs.fileno())],
                env={**os.environ, "COLUMNS": COLUMNS},
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` gives for a command that has no input and is ended after a minute.

        It runs in `folder`; None for the root of the repository.
        """
        with TemporaryFile("w+b") as output, TemporaryFile("w+b") as errors:
            asked = {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder or ".")}
            request = json.dumps(asked).encode()
            assert len(request) < _REQUEST_BYTES
            socket.send_fds(self._socket, [request], [output.fileno(), errors.fileno()])
            pid = int(self._socket.recv(64))
            try:
                code = int(self._socket.recv(64))
            except TimeoutError:
                os.kill(pid, 9)
                self._socket.recv(64)
                raise subprocess.TimeoutExpired(list(arguments), _TIMEOUT_S) from None
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(list(arguments), code, output.read().decode(), errors.read().decode())

    def close(self) -> None:
        """Ends the process that forks."""
        self._socket.close()
        self._process.wait(_TIMEOUT_S)


@cache
def forked_commands() -> ForkedCommands:
    """Those of this test process."""
    made = ForkedCommands()
    atexit.register(made.close)
    return made


def _serve(requests: socket.socket) -> None:
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 2)
        if not request:
            return
        child = os.fork()
        if child == 0:
            requests.close()
            _become(json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        requests.send(b"%d" % child)
        _, status = os.waitpid(child, 0)
        requests.send(b"%d" % os.waitstatus_to_exitcode(status))


def _become(request: Mapping[str, object], descriptors: Sequence[int]) -> None:
    """Never returns."""
    arguments, environment = request["arguments"], request["environment"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    code = 1
    try:
        for target, descriptor in zip((1, 2), descriptors, strict=True):
            os.dup2(descriptor, target)
        os.chdir(str(request["folder"]))
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["tukupay-sms", *arguments]
        from sms_cli.__main__ import main

        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - shown as the interpreter shows it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as given:
        _serve(given)
