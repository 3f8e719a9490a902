"""Where keys of texts may be kept, and the mistakes that are caught at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from messaging_service.wiring.chosen_keys import chosen_wrapper
from messaging_service.wiring.settings.privacy_settings import PrivacySettings, transit_url
from service_kit.encryption.key_file import KeyFile
from service_kit.encryption.transit import Transit
from service_kit.encryption.two_wrappers import TransitBesideFile
from service_kit.settings import SettingsError, load
from tests.system.sealing import key_file

URL = "https://bao.internal:8200"


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8200", "http://localhost:8200/"])
def test_a_transit_engine_is_a_server_over_https_or_on_this_machine(url: str) -> None:
    assert transit_url(url) == url


@pytest.mark.parametrize("url", ["http://bao.internal:8200", "bao.internal", "https://bao.internal/v1", "ftp://bao"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"https"):
        transit_url(url)


def test_an_engine_needs_a_token() -> None:
    with pytest.raises(SettingsError, match="needs MESSAGING_TRANSIT_TOKEN_FILE"):
        load(PrivacySettings, {"MESSAGING_TRANSIT_URL": URL})


def test_what_is_set_is_what_wraps(tmp_path: Path) -> None:
    file, token = key_file(tmp_path), tmp_path / "token"
    assert chosen_wrapper(PrivacySettings()) is None
    assert isinstance(chosen_wrapper(PrivacySettings(kek_file=file)), KeyFile)
    engine = {"transit_url": URL, "transit_token_file": token}
    assert isinstance(chosen_wrapper(PrivacySettings(**engine)), Transit)  # type: ignore[arg-type]  # by name
    both = chosen_wrapper(PrivacySettings(kek_file=file, **engine))  # type: ignore[arg-type]  # by name
    assert isinstance(both, TransitBesideFile)


def test_a_file_without_keys_stops_the_start_and_its_words_are_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("first:c2hvcnQ=\n")
    with pytest.raises(SettingsError, match="MESSAGING_KEK_FILE: the key in line 1 has 5 bytes") as caught:
        chosen_wrapper(PrivacySettings(kek_file=path))
    assert "c2hvcnQ" not in str(caught.value)
    with pytest.raises(SettingsError, match="MESSAGING_TRANSIT_CA_FILE"):
        chosen_wrapper(PrivacySettings(transit_url=URL, transit_token_file=path, transit_ca_file=tmp_path / "none"))
