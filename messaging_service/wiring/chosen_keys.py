"""The data keys of texts, as the settings choose what keeps them."""

from __future__ import annotations

import structlog

from messaging_service.privacy.postgres.postgres_data_keys import PostgresDataKeys
from messaging_service.privacy.sealing.key_ring import KeyRing
from messaging_service.wiring.pools import Pools
from messaging_service.wiring.settings.privacy_settings import PrivacySettings
from service_kit.encryption.key_file import KeyFile
from service_kit.settings import SettingsError

log = structlog.get_logger()


def chosen_ring(settings: PrivacySettings, pools: Pools) -> KeyRing | None:
    """The data keys of texts; None, and a warning, where texts are stored as they are.

    Raises SettingsError when the file of keys cannot be used.
    """
    if settings.kek_file is None:
        log.warning("privacy.texts_in_plain", remedy="set MESSAGING_KEK_FILE")
        return None
    try:
        wrapper = KeyFile(settings.kek_file)
    except ValueError as error:
        raise SettingsError(f"settings are wrong:\n  MESSAGING_KEK_FILE: {error}") from None
    return KeyRing(PostgresDataKeys(pools.main), wrapper)
