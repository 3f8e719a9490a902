"""Commands of the terminal show the token of whoever runs them, from a variable or a file, and never print it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from service_kit.access.requirement import Access
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import DatabaseTemplate
from tests.integration.messaging.running_service import Running, service_on
from tests.system.forked_commands import forked_commands
from tests.system.known_callers import KnownCallers
from tests.system.messaging_database import empty_database

pytestmark = pytest.mark.timeout(100)


async def run(service: Running, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "TUKUPAY_HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "MESSAGING_GRPC_ADDRESS": str(service.address),
        **environ,
    }
    return await asyncio.to_thread(forked_commands().run, ["accounts", "list"], environment)


async def test_a_command_is_let_in_by_its_token(
    postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    callers = KnownCallers(tmp_path / "identities.toml")
    callers.add("amina", "accounts:read")
    callers.add("juma", "prices:read")
    file = tmp_path / "token"
    file.write_text(callers.tokens["amina"] + "\n")
    url = empty_database(postgres_server, database_template)
    async with service_on(url, access=Access.REQUIRED, identities_file=callers.path) as service:
        for given in ({"TUKUPAY_TOKEN": callers.tokens["amina"]}, {"TUKUPAY_TOKEN_FILE": str(file)}):
            let_in = await run(service, tmp_path, **given)
            assert let_in.returncode == 0, let_in.stderr
        without = await run(service, tmp_path)
        assert without.returncode != 0
        assert "messaging refused (UNAUTHENTICATED)" in without.stderr
        assert "set TUKUPAY_TOKEN_FILE" in without.stderr
        other = await run(service, tmp_path, TUKUPAY_TOKEN=callers.tokens["juma"])
        assert other.returncode != 0
        assert "lacks the scope accounts:read" in other.stderr
        assert callers.tokens["juma"] not in other.stdout + other.stderr
