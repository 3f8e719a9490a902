"""Services as child processes, with small programs in the place of services."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from service_kit.embedded.bound_process import bound_command
from sms_cli.local.local_parts import Service
from sms_cli.local.probes import Health
from sms_cli.local.supervisor import WRONG_SETTINGS_EXIT

_STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""


def service(tmp_path: Path, program: str, *, stop_s: float = 20.0) -> Service:
    log = tmp_path / "part.log"

    async def probe() -> Health:
        return Health(ready=log.exists() and "ready" in log.read_text(), detail="")

    command = [sys.executable, "-c", program]
    return Service("part", command=command, environment=dict(os.environ), log_file=log, probe=probe, stop_s=stop_s)


async def until_ready(part: Service) -> None:
    async with asyncio.timeout(20):
        while not await part.ready():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)


async def test_what_a_service_prints_is_in_its_log_and_its_exit_code_is_known(tmp_path: Path) -> None:
    part = service(tmp_path, "print('a setting is wrong'); raise SystemExit(2)")
    await part.launch()
    assert await part.ended() == WRONG_SETTINGS_EXIT
    assert part.last_words() == ["a setting is wrong"]
    assert not await part.ready()


async def test_the_last_words_are_those_of_the_latest_launch(tmp_path: Path) -> None:
    part = service(tmp_path, "import os; print(os.getpid())")
    for _ in range(2):
        await part.launch()
        await part.ended()
    assert part.last_words() == [str(part.pid)]


async def test_a_service_gets_the_chance_to_end_in_order(tmp_path: Path) -> None:
    part = service(tmp_path, "import signal; print('ready', flush=True); signal.pause()")
    await part.launch()
    await until_ready(part)
    await part.stop()
    assert await part.ended() == -signal.SIGTERM


async def test_a_service_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    part = service(tmp_path, _STUBBORN, stop_s=0.1)
    await part.launch()
    await until_ready(part)
    await part.stop()
    assert await part.ended() == -signal.SIGKILL


async def test_stopping_what_has_ended_does_nothing(tmp_path: Path) -> None:
    part = service(tmp_path, "")
    await part.stop()
    await part.launch()
    await part.ended()
    await part.stop()
    part.kill()


async def test_a_program_that_cannot_be_run_says_so(tmp_path: Path) -> None:
    command = bound_command([str(tmp_path / "absent")], death_signal=signal.SIGKILL)
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 127
    assert "cannot run" in errors.decode()
