"""Whether a service can work with its database, reported as its health."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NoReturn

import psycopg
import structlog
from alembic.script import ScriptDirectory

from service_kit.database import RETRYABLE, Pool
from service_kit.grpc_server import GrpcServer
from service_kit.migrations import head

CHECK_EVERY_S = 1.0
PATIENCE_S = 2.0

log = structlog.get_logger()


class SchemaCheck:
    """Compares the revision of a database with the migrations in a folder."""

    def __init__(self, folder: Path) -> None:
        script = ScriptDirectory(str(folder))
        self._head = head(folder)
        self._outdated = {step.revision for step in script.walk_revisions()} - {self._head}

    async def problem(self, pool: Pool) -> str | None:
        """A sentence on why the service cannot work with the database now; None when it can.

        A revision that this code does not know is a newer one: migrations expand before they contract,
        so an old replica works on while the new ones are rolled out.
        """
        try:
            # A database that stays silent is as good as one that is away.
            async with asyncio.timeout(PATIENCE_S), pool.connection(timeout=PATIENCE_S) as connection:
                cursor = await connection.execute("SELECT version_num FROM alembic_version")
                row = await cursor.fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
        except (TimeoutError, *RETRYABLE):
            return "the database cannot be reached"
        if row is None or row[0] in self._outdated:
            at = row[0] if row else "none"
            return f"the database is at migration {at} and needs {self._head}: run `tukupay-sms migrate`"
        return None


async def report_readiness(pool: Pool, schema: SchemaCheck, server: GrpcServer) -> NoReturn:
    """Keeps the health of a server equal to that of its database; says why when it changes."""
    reported: str | None = "starting"
    while True:
        problem = await schema.problem(pool)
        if problem and reported is None:
            # Whatever made it fail may have cut the idle connections too.
            await pool.check()
        if problem != reported:
            await server.set_serving(problem is None)
            if problem:
                log.warning("service.not_serving", problem=problem)
            else:
                log.info("service.serving")
            reported = problem
        await asyncio.sleep(CHECK_EVERY_S)
