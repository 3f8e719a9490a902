"""`python -m messaging_service.migrate`: brings the messaging database to the schema of this release."""

from __future__ import annotations

import os

from messaging_service.wiring.migrate import grant, migrate
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from service_kit.postgres.migration_command import migrate_by_command
from service_kit.postgres.migration_run import MigratedService
from service_kit.settings import load


def main() -> None:
    """Migrates the database that the environment names."""
    migrate_by_command(MigratedService("messaging", migrate, grant), _urls)


def _urls() -> tuple[str, str | None]:
    settings = load(DatabaseSettings, os.environ)
    return settings.database_url, settings.database_direct_url


if __name__ == "__main__":
    main()
