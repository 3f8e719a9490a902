"""The pool of a service over TLS with `verify-full`, against a PostgreSQL that speaks it.

The embedded PostgreSQL is built without TLS, so these tests need another one: of `TUKUPAY_TEST_POSTGRES_BIN`, or of
Debian's folders.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import ServiceError
from service_kit.postgres.database import create_pool, single_statement
from service_kit.postgres.database_tls import url_problem
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


FOUND = binaries()
pytestmark = pytest.mark.skipif(FOUND is None, reason="no PostgreSQL with TLS; TUKUPAY_TEST_POSTGRES_BIN names one")


class Secured:
    """A server that shows a certificate for `localhost` alone."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority()
        self.ca = self.authority.write(folder)
        self.foreign = Authority("somebody else").write(folder, "foreign")
        self.port = free_port()
        self.server = EmbeddedPostgres(folder / "data", port=self.port, fsync=False, binaries=FOUND)

    def start(self) -> None:
        self.server.open()
        chain, key = self.authority.sign(names=["localhost"]).write(self.server.data_dir, "server")
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


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("postgres"))
    try:
        made.start()
        yield made
    finally:
        made.server.close()


async def is_over_tls(url: str) -> bool:
    """Whether a connection of a pool is encrypted. Raises ServiceError when there is none."""
    assert url_problem(url, "X_DATABASE_TLS") is None
    pool = create_pool(url, "tests", timeout_s=2)
    await pool.open(wait=False)
    try:
        async with single_statement(pool) as connection:
            query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            row = await (await connection.execute(query)).fetchone()
            return bool(row and row[0])
    finally:
        await pool.close(3)


async def test_a_pool_connects_over_tls(secured: Secured) -> None:
    assert await is_over_tls(secured.url("localhost", secured.ca))


async def test_a_server_of_a_foreign_authority_is_not_used(secured: Secured) -> None:
    with pytest.raises(ServiceError) as caught:
        await is_over_tls(secured.url("localhost", secured.foreign))
    assert caught.value.reason == "DATABASE_UNAVAILABLE"


async def test_a_server_of_another_name_is_not_used(secured: Secured) -> None:
    with pytest.raises(ServiceError) as caught:
        await is_over_tls(secured.url("127.0.0.1", secured.ca))
    assert caught.value.reason == "DATABASE_UNAVAILABLE"
