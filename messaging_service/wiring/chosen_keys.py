"""The data keys of texts, as the settings choose what keeps them."""

from __future__ import annotations

import structlog

from messaging_service.privacy.postgres.postgres_data_keys import PostgresDataKeys
from messaging_service.privacy.sealing.key_ring import KeyRing
from messaging_service.wiring.pools import Pools
from messaging_service.wiring.settings.privacy_settings import PrivacySettings
from service_kit.encryption.key_file import KeyFile
from service_kit.encryption.key_wrapper import KeyWrapper
from service_kit.settings import SettingsError

log = structlog.get_logger()


def chosen_wrapper(settings: PrivacySettings) -> KeyWrapper | None:
    """What keeps the data keys; None, and a warning, where texts are stored as they are.

    Raises SettingsError when the file of keys cannot be used.
    """
    if settings.kek_file is None:
        log.warning("privacy.texts_in_plain", remedy="set MESSAGING_KEK_FILE")
        return None
    try:
        return KeyFile(settings.kek_file)
    except ValueError as error:
        raise SettingsError(f"settings are wrong:\n  MESSAGING_KEK_FILE: {error}") from None


def ring_of(wrapper: KeyWrapper | None, pools: Pools) -> KeyRing | None:
    """The data keys in use; None where texts are stored as they are."""
    return None if wrapper is None else KeyRing(PostgresDataKeys(pools.main), wrapper)
