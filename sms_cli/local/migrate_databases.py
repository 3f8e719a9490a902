"""Brings the database of a service to the tables that its code expects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import psycopg

from service_kit.postgres.database_tls import url_problem
from service_kit.postgres.guards import GuardsNotSetError
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import DATABASE_VARIABLES, DIRECT_VARIABLES


def load_migrations() -> None:
    """Imports what migrations need, which takes longer than checking a database that is up to date."""
    for service in DATABASE_VARIABLES:
        _migration_of(service)


def _migration_of(service: str) -> Callable[[str, str | None], None]:
    """The function that migrates the database of a service, given its URL and the direct one or None."""
    # Imported when it is needed: most commands migrate nothing, and it loads SQLAlchemy.
    if service == "pricing":
        from pricing_service.adapters.migrate import migrate  # noqa: PLC0415 - see above
    else:
        from messaging_service.wiring.migrate import migrate  # noqa: PLC0415 - see above
    return migrate


def _check_way(service: str, environment: Mapping[str, str]) -> None:
    """Raises CommandError when the way to the database is not protected, which the service would refuse as well."""
    allowing = f"{service.upper()}_DATABASE_TLS"
    for variable in (DATABASE_VARIABLES[service], DIRECT_VARIABLES[service]):
        problem = url_problem(environment.get(variable) or None, allowing)
        if problem is not None:
            what, _, remedy = f"{variable}: {problem}".partition(": add ")
            raise CommandError(what, f"add {remedy}" if remedy else f"correct {variable}")


def _grant_of(service: str) -> Callable[[str, str | None, str], None]:
    """The function that lets a role run a service, given the same URLs."""
    if service == "pricing":
        from pricing_service.adapters.migrate import grant  # noqa: PLC0415 - see above
    else:
        from messaging_service.wiring.migrate import grant  # noqa: PLC0415 - see above
    return grant


async def migrate_database(service: str, environment: Mapping[str, str], role: str | None = None) -> None:
    """Applies the missing migrations and sets the guards of the role; raises CommandError when that fails.

    `environment` has the URL of the database, and may have a direct one. `role`: is granted what the service needs.
    """
    if not environment.get(f"{service.upper()}_DATABASE_TLS"):
        _check_way(service, environment)

    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - slow to import, and only needed here

    from service_kit.postgres.grants import RoleUnfitError  # noqa: PLC0415 - likewise
    from service_kit.postgres.migrations import PooledError, TableInUseError  # noqa: PLC0415 - likewise

    url, direct_url = environment[DATABASE_VARIABLES[service]], environment.get(DIRECT_VARIABLES[service]) or None
    try:
        await asyncio.to_thread(_migration_of(service), url, direct_url)
        if role is not None:
            await asyncio.to_thread(_grant_of(service), url, direct_url, role)
    except RoleUnfitError as error:
        raise CommandError(
            f"the tables of {service} are up to date, but no rights were granted: {error}",
            "see docs/guides/audit.md for the roles of a database",
        ) from error
    except GuardsNotSetError as error:
        raise CommandError(
            f"the tables of {service} are up to date, but their guards are not set", str(error)
        ) from error
    except PooledError as error:
        raise CommandError(
            f"the migration of {service} was not begun: {error}",
            f"set {DIRECT_VARIABLES[service]} to the URL of the server itself",
        ) from error
    except TableInUseError as error:
        raise CommandError(
            f"the migration of {service} was broken off: {error}",
            "run it again, as often as needed; to see who has a table: "
            "SELECT pid, state, xact_start, query FROM pg_stat_activity ORDER BY xact_start",
        ) from error
    except (SQLAlchemyError, psycopg.Error) as error:
        reason = str(error).partition("\n(Background")[0].partition("\n[SQL")[0].strip()
        raise CommandError(
            f"the migration of {service} failed: {reason}",
            f"check that its database can be reached and changed ({DATABASE_VARIABLES[service]}); "
            "a migration that failed can be run again",
        ) from error
