"""A server whose log is archived, its base backup, and its restore to a moment, by PostgreSQL's own means."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from service_kit.embedded.bound_process import bound_command, unprivileged_user
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.embedded.postgres_binaries import find_binaries, runnable_binaries
from tests.system.waiting import until


class ArchivedServer:
    """One server with its archive and its base backup, below a folder that its user may enter."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._user = unprivileged_user()
        self._folder = folder / name
        self._archive, self._base = self._folder / "archive", self._folder / "base"
        for made in (self._folder, self._archive):
            made.mkdir()
            if self._user is not None:
                os.chown(made, self._user.uid, self._user.gid)
        self.server = EmbeddedPostgres(self._folder / "data")

    def open(self) -> None:
        """Starts the server with its archive."""
        self.server.open()
        self.run("ALTER SYSTEM SET archive_mode = on")
        self.run(f"ALTER SYSTEM SET archive_command = 'cp %p {self._archive}/%f'")
        self.server.close()
        self.server.open()

    def back_up(self) -> None:
        """Takes a base backup of the running server."""
        said = conninfo_to_dict(self.server.url("postgres"))
        binaries = runnable_binaries(find_binaries(), self._user)
        source = ["--host", str(said["host"]), "--port", str(said["port"]), "--username", str(said["user"])]
        argv = [str(binaries / "pg_basebackup"), "--pgdata", str(self._base), "--checkpoint", "fast", *source]
        command = bound_command(argv, death_signal=signal.SIGKILL, user=self._user)
        subprocess.run(command, cwd="/", check=True, timeout=120, stdin=subprocess.DEVNULL)

    def lose(self) -> None:
        """Archives what is written, and removes the server with its data."""
        self.run("SELECT pg_switch_wal()")
        self.server.close()
        shutil.rmtree(self._folder / "data")

    def restore(self, to: datetime) -> None:
        """Puts a server with everything that was committed until a moment in the place of the lost one.

        A server that committed nothing after the moment never finds it, and stops: it is brought to the end of its log.
        """
        self._recover({"recovery_target_time": to.isoformat(), "recovery_target_action": "promote"})
        if not self.server.is_running():
            self.server.close()
            shutil.rmtree(self._folder / "data")
            self._recover({})

    def _recover(self, target: dict[str, str]) -> None:
        data = self._folder / "data"
        shutil.copytree(self._base, data, copy_function=self._copy)
        settings = {"restore_command": f"cp {self._archive}/%f %p", "archive_mode": "off", **target}
        with (data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        (data / "recovery.signal").touch()
        if self._user is not None:
            for path in (data, data / "recovery.signal", *(each for each in data.rglob("*") if each.is_dir())):
                os.chown(path, self._user.uid, self._user.gid)
        data.chmod(0o700)
        self.server.open()
        until("recovery is over", lambda: not self.server.is_running() or self._is_recovered(), 120.0)

    def _is_recovered(self) -> bool:
        try:
            with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
                return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
        except psycopg.Error:
            return False

    def run(self, statement: str) -> None:
        """Runs a statement."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _copy(self, source: str, target: str) -> None:
        shutil.copy2(source, target)
        if self._user is not None:
            os.chown(target, self._user.uid, self._user.gid)
