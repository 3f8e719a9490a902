"""`python -m <service>.migrate`: migrates the database of one service, where only the services are installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from service_kit.postgres.migration_run import MigratedService, MigrationFailedError, run_migrations
from service_kit.private_memory import keep_memory_private
from service_kit.settings import SettingsError
from service_kit.standard_streams import open_closed_streams


def migrate_by_command(
    service: MigratedService, read_urls: Callable[[], tuple[str, str | None]], arguments: list[str] | None = None
) -> None:
    """Migrates, and prints what was done in a line each.

    `read_urls` gives the URL of the service and the direct one, or None; it raises SettingsError. `arguments`: those of
    the process when None. Exits with 2 when settings are wrong, and with 1 when the migration failed.
    """
    # The URLs have passwords.
    keep_memory_private()
    open_closed_streams()
    parser = argparse.ArgumentParser(
        prog=f"python -m {service.name}_service.migrate",
        description=f"Migrate the database of {service.name} to the schema of this release; does nothing when it is "
        f"there. Settings: {service.database_variable} and {service.direct_variable}, or the files that these with "
        "_FILE name.",
    )
    parser.add_argument(
        "--grant", metavar="ROLE", help="let this role run the service, without the right to change evidence"
    )
    role: str | None = parser.parse_args(arguments).grant
    try:
        url, direct_url = read_urls()
        run_migrations(service, url, direct_url, role)
    except SettingsError as error:
        sys.stderr.write(f"{service.name}: {error}\n")
        raise SystemExit(2) from None
    except MigrationFailedError as error:
        sys.stderr.write(f"{service.name}: {error}\n")
        raise SystemExit(1) from None
    sys.stdout.write(f"{service.name}: its database is up to date\n")
    if role is not None:
        sys.stdout.write(f"{service.name}: the role {role} may run the service, and change no evidence\n")
