"""What callers are told who get no connection."""

from __future__ import annotations

import pytest

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import ServiceError
from service_kit.postgres.database import create_pool, quick_transaction, single_statement, transaction


@pytest.mark.parametrize("way", [single_statement, transaction, quick_transaction])
async def test_who_waits_for_a_connection_in_vain_is_told_that_all_may_be_in_use(
    postgres_server: EmbeddedPostgres, way: object
) -> None:
    assert callable(way)
    async with create_pool(postgres_server.url("postgres"), "crowded", max_size=1, timeout_s=0.2) as pool:
        async with single_statement(pool):
            with pytest.raises(ServiceError, match="or all connections to it are in use") as refused:
                async with way(pool):
                    pytest.fail("there is no second connection")
        assert refused.value.reason == "DATABASE_UNAVAILABLE"
        async with way(pool):
            pass
