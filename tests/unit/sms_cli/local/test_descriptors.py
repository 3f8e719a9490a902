"""The limit of open files is raised to what is allowed, and named when that is too little."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own, as a limit that was lowered cannot be raised again.
PROGRAM = """
import resource, sys
from sms_cli.local.descriptors import allow_descriptors
from sms_cli.shared.command_error import CommandError
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
try:
    allow_descriptors()
except CommandError as error:
    print(error, error.remedy)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "lines"),
    [
        (64, 1_000, ["1000"]),
        (
            60,
            60,
            ["a process may have 60 files and connections open here, and 256 are needed", "ulimit -n 16384", "60"],
        ),
    ],
)
def test_a_low_limit_is_raised_or_named(soft: int, hard: int, lines: list[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert all(line in output for line in lines)
