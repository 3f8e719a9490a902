"""On what a result was measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec

_ROOT = Path(__file__).parent.parent


class Machine(msgspec.Struct, frozen=True):
    """Machine, versions and instant; nothing that names the machine."""

    cores: int
    cpu: str
    memory_gb: float
    kernel: str
    file_system: str
    """Of the folder with the database."""
    python: str
    grpcio: str
    postgresql: str
    commit: str
    """Abbreviated, with `+` for uncommitted changes; `none` outside a repository."""
    at: str
    """When it began, RFC 3339 in UTC."""
    load_before: float
    """Load average of the last minute before the start: what else the machine did."""


def describe(data: Path, postgresql: str, load_before: float) -> Machine:
    """This machine; `data` is the folder with the database."""
    import grpc  # noqa: PLC0415 - only for its version, and slow to load

    return Machine(
        cores=os.cpu_count() or 0,
        cpu=_first_value(Path("/proc/cpuinfo"), "model name"),
        memory_gb=round(int(_first_value(Path("/proc/meminfo"), "MemTotal").split()[0]) / 1024**2, 1),
        kernel=platform.release(),
        file_system=_file_system(data),
        python=platform.python_version(),
        grpcio=grpc.__version__,
        postgresql=postgresql,
        commit=_commit(),
        at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        load_before=round(load_before, 2),
    )


def _first_value(path: Path, key: str) -> str:
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "0 unknown"


def _file_system(folder: Path) -> str:
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind = line.split()[:3]
        if folder.is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def _commit() -> str:
    head = _git("rev-parse", "--short=10", "HEAD")
    return (head + ("+" if _git("status", "--porcelain") else "")) if head else "none"


def _git(*arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run([git, *arguments], cwd=_ROOT, capture_output=True, text=True, check=False, timeout=10)
    return done.stdout.strip() if done.returncode == 0 else ""
