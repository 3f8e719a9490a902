"""The pool of a service over TLS with `verify-full`, against a PostgreSQL that speaks it.

The embedded PostgreSQL is built without TLS, so these tests need another one: of `TUKUPAY_TEST_POSTGRES_BIN`, or of
Debian's folders.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from service_kit.errors import ServiceError
from service_kit.postgres.database import create_pool, single_statement
from service_kit.postgres.database_tls import url_problem
from tests.system.secured_postgres import FOUND, Secured

pytestmark = pytest.mark.skipif(FOUND is None, reason="no PostgreSQL with TLS; TUKUPAY_TEST_POSTGRES_BIN names one")


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
