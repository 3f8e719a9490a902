"""The processes of channels: bounded, one question at a time, and ended for certain. Their work is scripted here."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from messaging_service.notices.channels.channel_sender import GuardedChannels
from messaging_service.notices.channels.children import ENVIRONMENT, ChildFailedError, Children
from messaging_service.notices.domain.endpoints import EndpointKind
from messaging_service.notices.metrics.channel_metrics import ChannelMetrics
from service_kit.errors import Kind, ServiceError

SCRIPT = """
import json, os, sys, time
configuration = json.loads(sys.stdin.readline())
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    match question["do"]:
        case "echo":
            answer = {"pid": os.getpid(), "environment": dict(os.environ), "configuration": configuration}
            print(json.dumps(answer), flush=True)
        case "hang":
            time.sleep(600)
        case "die":
            os._exit(1)
        case "babble":
            print("no line of JSON", end="", flush=True)
            os._exit(0)
"""
COMMAND = (sys.executable, "-I", "-S", "-c", SCRIPT)
ECHO = {"do": "echo"}


def children(**choices: Any) -> Children:
    known: dict[str, Any] = {"at_most": 2, "timeout_s": 20.0, "idle_s": 600.0, "command": COMMAND}
    return Children({"password": "canary"}, ChannelMetrics(CollectorRegistry()), **(known | choices))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def test_a_child_answers_one_after_another_and_knows_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/trusted.pem")
    asked = children()
    first, second = await asked.ask(ECHO), await asked.ask(ECHO)
    assert first["pid"] == second["pid"]
    assert asked.running == 1
    assert first["configuration"] == {"password": "canary"}
    assert {name: value for name, value in first["environment"].items() if name != "LC_CTYPE"} == ENVIRONMENT | {
        "SSL_CERT_FILE": "/trusted.pem"
    }
    assert "canary" not in command_of(first["pid"])
    await asked.close()
    assert not is_running(first["pid"])
    assert asked.running == 0


async def test_there_are_never_more_than_so_many() -> None:
    asked = children()
    answers = await asyncio.gather(*(asked.ask(ECHO) for _ in range(10)))
    assert 1 <= len({answer["pid"] for answer in answers}) <= 2
    assert asked.running <= 2
    await asked.close()


@pytest.mark.parametrize(("deed", "word"), [("hang", "TIMED_OUT"), ("die", "BROKEN_OFF"), ("babble", "BROKEN_OFF")])
async def test_a_child_without_an_answer_is_replaced(deed: str, word: str) -> None:
    asked = children(at_most=1)
    before = (await asked.ask(ECHO))["pid"]
    asked._timeout_s = 0.2 if deed == "hang" else 20.0
    with pytest.raises(ChildFailedError, match=word):
        await asked.ask({"do": deed})
    assert not is_running(before)
    asked._timeout_s = 20.0
    assert (await asked.ask(ECHO))["pid"] != before
    await asked.close()


async def test_a_child_that_was_killed_while_idle_is_replaced() -> None:
    asked = children()
    before = (await asked.ask(ECHO))["pid"]
    os.kill(before, signal.SIGKILL)
    async with asyncio.timeout(20):
        while True:
            try:
                after = (await asked.ask(ECHO))["pid"]
                break
            except ChildFailedError:
                continue
    assert after != before
    await asked.close()


async def test_an_idle_child_ends_by_itself() -> None:
    asked = children(idle_s=0.0)
    pid = (await asked.ask(ECHO))["pid"]
    async with asyncio.timeout(20):
        while asked.running:  # noqa: ASYNC110 - its task tells nobody
            await asyncio.sleep(0)
    assert not is_running(pid)
    await asked.close()


async def test_whoever_stops_waiting_leaves_no_answer_behind_for_the_next() -> None:
    asked = children(at_most=1)
    before = (await asked.ask(ECHO))["pid"]
    waiting = asyncio.create_task(asked.ask({"do": "hang"}))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (await asked.ask(ECHO))["pid"] != before
    await asked.close()


async def test_a_program_that_cannot_be_run_is_a_failure_with_a_name() -> None:
    asked = children(command=("/nonexistent/program",))
    with pytest.raises(ChildFailedError, match="BROKEN_OFF"):
        await asked.ask(ECHO)
    await asked.close()


async def test_a_target_that_cannot_be_looked_at_in_time_is_refused_for_now() -> None:
    asked = children()
    channels = GuardedChannels(asked, has_relay=False, patience_s=0.3)
    # The script has no answer to it.
    with pytest.raises(ServiceError) as caught:
        await channels.check(EndpointKind.SERVICE, "slack://a/b/c")
    assert (caught.value.kind, caught.value.reason) == (Kind.UNAVAILABLE, "CHANNELS_BUSY")
    await asked.close()


def test_the_service_itself_never_imports_what_its_children_run() -> None:
    show = "print([name for name in sys.modules if name == 'apprise'])"
    program = f"import sys, messaging_service.wiring.bootstrap; {show}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


PARENT = f"""
import asyncio, sys
from prometheus_client import CollectorRegistry
from messaging_service.notices.channels.children import Children
from messaging_service.notices.metrics.channel_metrics import ChannelMetrics
async def main():
    command = (sys.executable, "-I", "-S", "-c", sys.argv[1])
    children = Children({{}}, ChannelMetrics(CollectorRegistry()), at_most=1, timeout_s=20, idle_s=600, command=command)
    print((await children.ask({ECHO!r}))["pid"], flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_a_child_ends_with_a_service_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, SCRIPT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = next(int(line) for line in parent.stdout if line.strip().isdigit())
        assert is_running(pid)
        parent.kill()
        parent.wait()
        # The kernel sends the signal as the parent ends; the child needs a moment to die.
        for _ in range(1_000_000):
            if not is_running(pid):
                break
        assert not is_running(pid)
