"""Who may touch the folders of a private PostgreSQL server."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import IO

from service_kit.embedded.bound_process import SystemUser, unprivileged_user
from service_kit.embedded.postgres_binaries import PostgresError

_LONGEST_SOCKET_PATH = 107


def server_user(data_dir: Path) -> SystemUser | None:
    """Who runs the server: the owner of the data folder when we are root, else we (None)."""
    user = unprivileged_user()
    if user is not None and data_dir.exists():
        owner = data_dir.stat()
        if owner.st_uid != 0:
            return SystemUser(f"uid {owner.st_uid}", owner.st_uid, owner.st_gid)
    return user


def socket_dir_for(data_dir: Path) -> Path:
    """The socket folder of a data folder: short, as the kernel wants, and the same at every start.

    Raises PostgresError when no temporary folder has a short enough path.
    """
    identity = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    for temporary in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - checked before use
        folder = temporary / f"tukupay-sms-{os.geteuid()}" / identity
        if len(os.fsencode(folder / ".s.PGSQL.65535")) <= _LONGEST_SOCKET_PATH:
            return folder
    raise PostgresError("the path of the temporary folder is too long for a socket; set TMPDIR to a shorter one")


def make_private_socket_dir(folder: Path, owner: int) -> None:
    """Makes the folder anew, with access for `owner` alone.

    Raises PostgresError when another user holds the folder around it.
    """
    base = folder.parent
    base.mkdir(mode=0o711, parents=True, exist_ok=True)
    state = base.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        raise PostgresError(f"{base} belongs to another user; remove it, or set TMPDIR to another folder")
    base.chmod(0o711)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.chown(folder, owner, -1)


def exclusive_lock(path: Path) -> IO[str]:
    """Holds the lock file until it is closed; raises PostgresError when another process holds it."""
    lock = open(path, "a", opener=open_private)  # noqa: SIM115 - held until close
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise PostgresError(f"another process runs the server of {path.with_suffix('')}") from None
    return lock


def make_private_folder(folder: Path) -> None:
    """Makes a folder for our user alone, and those above it that are missing, whatever the umask lets others do.

    One that exists stays as it is, but nobody else may write to it.
    """
    for missing in reversed([above for above in folder.parents if not above.exists()]):
        missing.mkdir(mode=0o755, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o022:
        folder.chmod(mode & ~0o022)


def open_private(path: str, flags: int) -> int:
    """An `opener` for files that are created for our user alone."""
    return os.open(path, flags, 0o600)
