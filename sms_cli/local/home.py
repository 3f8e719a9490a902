"""The home folder of a local system, its data and its logs; at most one system runs in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service_kit.embedded.postgres_folders import make_private_folder, open_private
from sms_cli.shared.command_error import CommandError

_PID_FILE = "up.pid"
_LOG_ROTATION_BYTES = 10_000_000


class Home:
    """Paths below TUKUPAY_HOME."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @property
    def logs(self) -> Path:
        """The folder of the log files, one for each part."""
        return self.folder / "logs"

    @property
    def postgres_data(self) -> Path:
        """The data folder of the embedded PostgreSQL."""
        return self.folder / "postgres"

    @property
    def tls(self) -> Path:
        """The folder of the certificates that `up --tls` makes."""
        return self.folder / "tls"

    def log_of(self, part: str) -> Path:
        """The log file of a part."""
        return self.logs / f"{part}.log"

    def rotate_logs(self) -> None:
        """Renames each log over 10 MB to NAME.log.1."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > _LOG_ROTATION_BYTES:
                log.replace(log.with_name(f"{log.name}.1"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Creates the folder and locks it for this process, whose id it writes down.

        Raises CommandError when another process has locked it, or when it cannot be written.
        """
        try:
            make_private_folder(self.folder)
            make_private_folder(self.logs)
            pid_file = open(  # noqa: SIM115 - Path.open takes no opener; held until the end
                self.folder / _PID_FILE, "a+", opener=open_private, encoding="ascii"
            )
        except OSError as error:
            raise CommandError(
                f"cannot write to the home folder {self.folder}: {error.strerror}",
                "run as the user who owns it, or set TUKUPAY_HOME to another folder",
            ) from error
        with pid_file:
            try:
                fcntl.flock(pid_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid_file.seek(0)
                pid = pid_file.read().strip() or "unknown"
                raise CommandError(
                    f"TukuPay SMS is already running on {self.folder} (process {pid})",
                    f"look at it with `tukupay-sms status`, or stop it with Ctrl-C there or `kill {pid}`; "
                    "for a second one set TUKUPAY_HOME and other addresses",
                ) from None
            pid_file.truncate(0)
            pid_file.write(f"{os.getpid()}\n")
            pid_file.flush()
            try:
                yield
            finally:
                pid_file.truncate(0)


def last_lines(log: Path, *, since: int = 0, count: int = 12) -> list[str]:
    """The last lines of a log file, after the octet `since` at the earliest; empty when there are none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(since, file.tell() - 32_768))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
