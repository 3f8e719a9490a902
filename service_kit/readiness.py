"""Whether a service can work with its database, reported as its health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import psycopg
import structlog
from prometheus_client import Gauge, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from typing_extensions import override

from service_kit.grpc.grpc_server import GrpcServer
from service_kit.postgres.database import Pool
from service_kit.postgres.database_errors import READ_ONLY, RETRYABLE, problem_of
from service_kit.postgres.pipeline import Statement
from service_kit.postgres.revisions import read_revisions
from service_kit.postgres.schema_compatibility import refusal

CHECK_EVERY_S = 1.0
PATIENCE_S = 2.0
_UNSEEN = "unknown"
"""In the place of a revision before the database was first asked."""

_REVISION = Statement(
    "SELECT version_num, current_setting('transaction_read_only')::boolean, "
    "obj_description('alembic_version'::regclass, 'pg_class') FROM alembic_version"
)()

log = structlog.get_logger()


class SchemaCheck:
    """Compares the revision of a database with the migrations in a folder."""

    def __init__(self, folder: Path) -> None:
        revisions = read_revisions(folder)
        self._head = revisions.head
        self._known = revisions.older | {revisions.head}
        self.awaited: str | None = "the database has not answered yet"
        """Why the service has not begun to work, in words: the schema that it needs was not seen yet. None once it was,
        from then on."""
        self.seen = _UNSEEN
        """The revision that the database had when it was last asked."""

    @property
    def needed(self) -> str:
        """The revision that this code was written for."""
        return self._head

    async def problem(self, pool: Pool) -> str | None:
        """A sentence on why the service cannot work with the database now; None when it can.

        A revision that this code does not know is a newer one: migrations expand before they contract,
        so an old replica works on while the new ones are rolled out, unless the database says that its
        schema is no longer for such code (`service_kit.postgres.schema_compatibility`).
        """
        problem = await self._problem(pool)
        if problem is None:
            self.awaited = None
        elif self.awaited is not None:
            self.awaited = problem
        return problem

    async def _problem(self, pool: Pool) -> str | None:
        try:
            async with pool.connection(timeout=PATIENCE_S) as connection:
                # A database that stays silent is as good as one that is away. By a trip, which does not ask the server
                # to cancel what it does not answer anyway.
                (rows,) = await connection.trip(_REVISION, within_s=PATIENCE_S)
                await pool.check_guards(connection)
                if rows and rows[0][1]:
                    # It may lead to a former primary, and would for as long as it is kept: the next look has another.
                    connection.pgconn.finish()
        except psycopg.errors.UndefinedTable:
            rows = []
        except RETRYABLE as error:
            return problem_of(error)
        except psycopg.Error as error:
            # Such as a damaged page: whatever it is, the service cannot work with it.
            return f"the database fails with SQLSTATE {error.sqlstate}"
        self.seen = rows[0][0] if rows else "none"
        if not rows:
            return self._older("none")
        revision, is_read_only, comment = rows[0]
        if revision not in self._known:
            unfit = refusal(comment, revision, self._head, self._known)
        else:
            unfit = None if revision == self._head else self._older(revision)
        return unfit or (READ_ONLY if is_read_only else None)

    def _older(self, revision: str) -> str:
        return (
            f"the database is at migration {revision} and needs {self._head}: run `tukupay-sms migrate`; "
            "this service waits for it"
        )


def show_serving(server: GrpcServer, registry: CollectorRegistry) -> None:
    """Exports whether a server takes calls, as `tukupay_serving`."""
    gauge = Gauge("tukupay_serving", "1 while the service says that it takes calls.", registry=registry)
    gauge.set_function(lambda: server.is_serving)


class SchemaInfo(Collector):
    """Exports which revision the database has, and which this code needs, as labels of `tukupay_schema_info`."""

    def __init__(self, service: str, check: SchemaCheck) -> None:
        self._service = service
        self._check = check

    @override
    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "tukupay_schema_info",
            "Always 1: the revision that the database had when it was last asked, and the one that the code needs.",
            labels=("service", "revision", "needed"),
        )
        info.add_metric((self._service, self._check.seen, self._check.needed), 1)
        yield info


async def report_readiness(
    pool: Pool, schema: SchemaCheck, server: GrpcServer, others: Sequence[Callable[[], str | None]] = ()
) -> NoReturn:
    """Keeps the health of a server equal to that of its database; says why when it changes.

    `others`: what else may keep it from its work; each says why in words, None while it does not.
    """
    reported: str | None = "starting"
    while True:
        problem = await schema.problem(pool)
        if problem and reported is None:
            # Whatever made it fail may have cut the idle connections too, or they lead to a former primary. They are
            # closed unasked, as a server that stands still would answer none of them.
            await pool.renew()
        # What the database says of itself names the cause of the rest.
        problem = problem or pool.refusal or next(filter(None, (other() for other in others)), None)
        if problem != reported:
            await server.report(problem)
            if problem:
                log.warning("service.not_serving", problem=problem)
            else:
                log.info("service.serving")
            reported = problem
        await asyncio.sleep(CHECK_EVERY_S)
