"""A PostgreSQL that speaks TLS. The embedded one is built without it, so this is another one, where there is any."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.system.certificates import Authority
from tests.system.ports import free_port

PASSWORD = "over-tls"


def binaries() -> Path | None:
    """The programs of a PostgreSQL that was built with TLS; None when there is none."""
    named = os.environ.get("TUKUPAY_TEST_POSTGRES_BIN")
    folders = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        program = shutil.which("pg_config", path=str(folder))
        if program is None or not (folder / "initdb").is_file():
            continue
        how = subprocess.run([program, "--configure"], capture_output=True, text=True, check=False, timeout=20)
        if "openssl" in how.stdout:
            return folder
    return None


FOUND: Final = binaries()


class Secured:
    """A server that shows a certificate for `localhost` alone, or for other names."""

    def __init__(self, folder: Path, names: Sequence[str] = ("localhost",)) -> None:
        self._names = names
        self.authority = Authority()
        self.ca = self.authority.write(folder)
        self.foreign = Authority("somebody else").write(folder, "foreign")
        self.port = free_port()
        self.server = EmbeddedPostgres(folder / "data", port=self.port, fsync=False, binaries=FOUND)

    def start(self) -> None:
        self.server.open()
        chain, key = self.authority.sign(names=self._names).write(self.server.data_dir, "server")
        owner = self.server.data_dir.stat()
        for path in (chain, key):
            os.chown(path, owner.st_uid, owner.st_gid)
            path.chmod(0o600)
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("ALTER SYSTEM SET ssl = on")
            connection.execute("SELECT pg_reload_conf()")

    def url(self, host: str, authority: Path) -> str:
        known = f"sslmode=verify-full&sslrootcert={authority}"
        return f"postgresql://app:{PASSWORD}@{host}:{self.port}/postgres?{known}"
