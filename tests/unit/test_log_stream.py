"""Logs on a disk that is full."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from service_kit.logs import LogStream


class Disk:
    """A file on a disk with so many bytes of room."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.data = b""

    def write(self, data: bytes, /) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = data[: self.room]
        self.room -= len(taken)
        self.data += taken
        return len(taken)


def tell(stream: LogStream, event: str) -> None:
    stream.write(json.dumps({"event": event}) + "\n")
    stream.flush()


def test_lines_arrive_whole() -> None:
    disk = Disk(1_000)
    stream = LogStream(disk)
    tell(stream, "one")
    tell(stream, "two")
    assert disk.data == b'{"event": "one"}\n{"event": "two"}\n'


@pytest.mark.parametrize("room", [0, 5, 17, 20])
def test_on_a_full_disk_lines_are_missing_and_counted_and_nobody_is_disturbed(room: int) -> None:
    disk = Disk(room)
    stream = LogStream(disk)
    for number in range(3):
        tell(stream, f"{number:03}")
    before = disk.data.decode().count("}\n")
    disk.room = 1_000
    tell(stream, "again")
    tell(stream, "and on")
    *_, note, again, further = disk.data.decode().splitlines()
    assert json.loads(note) == {"event": "log.lines_missing", "lines": 3 - before}
    assert (json.loads(again), json.loads(further)) == ({"event": "again"}, {"event": "and on"})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_process_outlives_its_log() -> None:
    code = (
        "import logging, sys, structlog; from service_kit.logs import configure_logs; configure_logs('test');"
        "structlog.get_logger().info('one'); logging.getLogger('two').warning('two'); sys.stderr.write('alive')"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"alive")
