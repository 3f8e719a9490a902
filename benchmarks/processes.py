"""What processes cost, read from /proc (Linux only)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

_PROC = Path("/proc")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_MB = 1_000_000

# Places in /proc/PID/stat after the name, which may hold spaces; proc_pid_stat(5) counts from 1 and has
# the state as number 3.
_PARENT = 4 - 3
_OWN_TIME = slice(14 - 3, 16 - 3)
_TIME_OF_REAPED = slice(16 - 3, 18 - 3)


class Costs(msgspec.Struct, frozen=True):
    """At one instant."""

    cpu_s: dict[str, float]
    """Processor time since the start, by part; `machine` is all that ran on this machine."""
    memory_mb: dict[str, float]
    """Resident memory by part; for PostgreSQL, whose processes share most of it, proportional."""


def costs(pids: Mapping[str, int]) -> Costs:
    """Of the parts with these process ids; `postgres` stands for the server with all its backends."""
    cpu_s = {"machine": machine_cpu_s()}
    memory_mb: dict[str, float] = {}
    for name, pid in pids.items():
        if name == "postgres":
            backends = children(pid)
            # Backends that ended are counted in the time of what their parent reaped.
            cpu_s[name] = _cpu_s(pid, _OWN_TIME, _TIME_OF_REAPED) + sum(_cpu_s(each, _OWN_TIME) for each in backends)
            memory_mb[name] = sum(_proportional_mb(each) for each in (pid, *backends))
        else:
            cpu_s[name] = _cpu_s(pid, _OWN_TIME)
            memory_mb[name] = _field_kb(_PROC / str(pid) / "status", "VmRSS:") * 1024 / _MB
    return Costs(cpu_s, memory_mb)


def children(parent: int) -> dict[int, list[str]]:
    """Process id and command line of each child."""
    found: dict[int, list[str]] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if int(_stat(int(entry.name))[_PARENT]) == parent:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().decode().rstrip("\0").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _stat(pid: int) -> list[str]:
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _cpu_s(pid: int, *fields: slice) -> float:
    try:
        stat = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        # A backend that ended while we looked: it is with what its parent reaped the next time.
        return 0.0
    return sum(int(ticks) for field in fields for ticks in stat[field]) / _TICKS_A_SECOND


def machine_cpu_s() -> float:
    """Time that the processors were busy for whatever process: user, nice, system and interrupts."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, (_PROC / "stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / _TICKS_A_SECOND


def _proportional_mb(pid: int) -> float:
    return _field_kb(_PROC / str(pid) / "smaps_rollup", "Pss:") * 1024 / _MB


def _field_kb(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
