"""The data keys of texts, as the settings choose what keeps them."""

from __future__ import annotations

from pathlib import Path

import structlog

from messaging_service.privacy.postgres.postgres_data_keys import PostgresDataKeys
from messaging_service.privacy.sealing.key_ring import KeyRing
from messaging_service.wiring.connections.pools import Pools
from messaging_service.wiring.settings.privacy_settings import PrivacySettings
from service_kit.encryption.key_file import KeyFile
from service_kit.encryption.key_wrapper import KeyWrapper
from service_kit.encryption.transit import Transit
from service_kit.encryption.two_wrappers import TransitBesideFile
from service_kit.settings import SettingsError

log = structlog.get_logger()


def chosen_wrapper(settings: PrivacySettings) -> KeyWrapper | None:
    """What keeps the data keys; None, and a warning, where texts are stored as they are.

    Raises SettingsError when the file of keys, or that of certificates, cannot be used.
    """
    file = None if settings.kek_file is None else _file(settings.kek_file)
    if settings.transit_url is None or settings.transit_token_file is None:
        if file is None:
            log.warning("privacy.texts_in_plain", remedy="set MESSAGING_KEK_FILE")
        return file
    try:
        transit = Transit(
            settings.transit_url,
            settings.transit_key,
            settings.transit_token_file,
            mount=settings.transit_mount,
            ca_file=settings.transit_ca_file,
        )
    except ValueError as error:
        raise SettingsError(f"settings are wrong:\n  MESSAGING_TRANSIT_CA_FILE: {error}") from None
    return transit if file is None else TransitBesideFile(transit, file)


def _file(path: Path) -> KeyFile:
    try:
        return KeyFile(path)
    except ValueError as error:
        raise SettingsError(f"settings are wrong:\n  MESSAGING_KEK_FILE: {error}") from None


def ring_of(wrapper: KeyWrapper | None, pools: Pools) -> KeyRing | None:
    """The data keys in use; None where texts are stored as they are."""
    return None if wrapper is None else KeyRing(PostgresDataKeys(pools.main), wrapper)
