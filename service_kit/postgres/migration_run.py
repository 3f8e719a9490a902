"""One run of the migrations of a service, with failures in the words of an operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from service_kit.postgres.grants import RoleUnfitError
from service_kit.postgres.guards import GuardsNotSetError
from service_kit.postgres.migrations import PooledError, TableInUseError


class MigrationFailedError(Exception):
    """A database is not at the newest schema, or its role lacks guards or rights; another run may follow."""

    def __init__(self, what: str, remedy: str) -> None:
        """`what`: a sentence about the failure, without passwords. `remedy`: what to do about it."""
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class MigratedService:
    """A service whose database is migrated."""

    name: str
    migrate: Callable[[str, str | None], None]
    """Given the URL of the service and the direct one, or None."""
    grant: Callable[[str, str | None, str], None]
    """Given the same URLs, and a role that may run the service afterwards."""

    @property
    def database_variable(self) -> str:
        """The setting with the URL that the service uses."""
        return f"{self.name.upper()}_DATABASE_URL"

    @property
    def direct_variable(self) -> str:
        """The setting with the URL for migrations, past a pooler or as a role that may change tables."""
        return f"{self.name.upper()}_DATABASE_DIRECT_URL"


def run_migrations(service: MigratedService, url: str, direct_url: str | None, role: str | None = None) -> None:
    """Applies the missing migrations, sets the guards, and grants a role what the service needs.

    `role`: None for no grants. Waits while another process migrates. Raises MigrationFailedError.
    """
    name = service.name
    try:
        service.migrate(url, direct_url)
        if role is not None:
            service.grant(url, direct_url, role)
    except RoleUnfitError as error:
        raise MigrationFailedError(
            f"the tables of {name} are up to date, but no rights were granted: {error}",
            "see docs/guides/audit.md for the roles of a database",
        ) from error
    except GuardsNotSetError as error:
        raise MigrationFailedError(
            f"the tables of {name} are up to date, but their guards are not set", str(error)
        ) from error
    except PooledError as error:
        raise MigrationFailedError(
            f"the migration of {name} was not begun: {error}",
            f"set {service.direct_variable} to the URL of the server itself",
        ) from error
    except TableInUseError as error:
        raise MigrationFailedError(
            f"the migration of {name} was broken off: {error}",
            "run it again, as often as needed; to see who has a table: "
            "SELECT pid, state, xact_start, query FROM pg_stat_activity ORDER BY xact_start",
        ) from error
    except (SQLAlchemyError, psycopg.Error) as error:
        reason = str(error).partition("\n(Background")[0].partition("\n[SQL")[0].strip()
        raise MigrationFailedError(
            f"the migration of {name} failed: {reason}",
            f"check that its database can be reached and changed ({service.database_variable}); "
            "a migration that failed can be run again",
        ) from error
