"""`python -m messaging_service.after_restore`: holds what a restored database would send again.

For a database that was restored to a moment before now, while the service is stopped (docs/runbooks/Restore.md).
"""

from __future__ import annotations

import os
import sys

import psycopg

from messaging_service.sending.postgres.held_after_restore import InUseError, hold_open_messages
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from messaging_service.wiring.settings.sending_settings import SendingSettings
from service_kit.settings import SettingsError, load

_CONNECT_S = 10


def main() -> None:
    """Holds them in the database that the environment names; exits with 1 when that cannot be done now."""
    try:
        database, sending = load(DatabaseSettings, os.environ), load(SendingSettings, os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    url = database.database_direct_url or database.database_url
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S) as connection:
            held = hold_open_messages(connection, sending.unknown_window_s)
    except InUseError:
        sys.stderr.write("processes of messaging are connected to the database: stop them first, nothing was changed\n")
        raise SystemExit(1) from None
    except psycopg.Error as error:
        sys.stderr.write(f"the database cannot be used: SQLSTATE {error.sqlstate or 'none'}; nothing was changed\n")
        raise SystemExit(1) from None
    sys.stdout.write(
        f"{held.unknown} messages that were due or under way are unknown now, and are not sent by themselves\n"
        f"{held.kept} messages that were unknown are not sent again by themselves\n"
        f"{held.later} messages are due later and stay as they are\n"
    )


if __name__ == "__main__":
    main()
