"""Brings the database of a service to the tables that its code expects."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from service_kit.postgres.database_tls import url_problem
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import DATABASE_VARIABLES, DIRECT_VARIABLES

if TYPE_CHECKING:
    from service_kit.postgres.migration_run import MigratedService


def load_migrations() -> None:
    """Imports what migrations need, which takes longer than checking a database that is up to date."""
    for service in DATABASE_VARIABLES:
        _migrated_service(service)


def _migrated_service(service: str) -> MigratedService:
    # Imported when it is needed: most commands migrate nothing, and it loads SQLAlchemy.
    from service_kit.postgres.migration_run import MigratedService  # noqa: PLC0415 - see above

    if service == "pricing":
        from pricing_service.adapters.migrate import grant, migrate  # noqa: PLC0415 - see above
    else:
        from messaging_service.wiring.migrate import grant, migrate  # noqa: PLC0415 - see above
    return MigratedService(service, migrate, grant)


def _check_way(service: str, environment: Mapping[str, str]) -> None:
    """Raises CommandError when the way to the database is not protected, which the service would refuse as well."""
    allowing = f"{service.upper()}_DATABASE_TLS"
    for variable in (DATABASE_VARIABLES[service], DIRECT_VARIABLES[service]):
        problem = url_problem(environment.get(variable) or None, allowing)
        if problem is not None:
            what, _, remedy = f"{variable}: {problem}".partition(": add ")
            raise CommandError(what, f"add {remedy}" if remedy else f"correct {variable}")


async def migrate_database(service: str, environment: Mapping[str, str], role: str | None = None) -> None:
    """Applies the missing migrations and sets the guards of the role; raises CommandError when that fails.

    `environment` has the URL of the database, and may have a direct one. `role`: is granted what the service needs.
    """
    if not environment.get(f"{service.upper()}_DATABASE_TLS"):
        _check_way(service, environment)

    from service_kit.postgres.migration_run import (  # noqa: PLC0415 - slow to import, and only needed here
        MigrationFailedError,
        run_migrations,
    )

    url, direct_url = environment[DATABASE_VARIABLES[service]], environment.get(DIRECT_VARIABLES[service]) or None
    try:
        await asyncio.to_thread(run_migrations, _migrated_service(service), url, direct_url, role)
    except MigrationFailedError as error:
        raise CommandError(error.what, error.remedy) from error
