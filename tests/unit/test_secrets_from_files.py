"""Secrets come from the environment, or from the files that the environment names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway_http.settings import GatewaySettings
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from pricing_service.settings import PricingSettings
from service_kit.settings import FILE_SUFFIX, SettingsError, declared, load, setting
from sms_cli.shared.local_settings import LocalSettings, client_environment


@dataclass(frozen=True, slots=True)
class Safe:
    """One secret and one other setting."""

    code: str = setting("SAFE_CODE", "opens it", secret=True)
    colour: str = setting("SAFE_COLOUR", "what it looks like", default="grey")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "code"
    path.write_bytes(b"open sesame\n")
    return path


def problem(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(Safe, environ)
    return str(caught.value)


def test_a_secret_is_read_from_the_file_that_is_named(file: Path) -> None:
    safe = load(Safe, {"SAFE_CODE_FILE": str(file)})
    assert safe.code == "open sesame"
    assert "sesame" not in repr(safe)


@pytest.mark.parametrize("octets", [b"a b ", b"a b \n", b"a b \r\n", b"a b \n\n"])
def test_only_line_ends_at_the_end_are_dropped(file: Path, octets: bytes) -> None:
    file.write_bytes(octets)
    assert load(Safe, {"SAFE_CODE_FILE": str(file)}).code == "a b "


def test_both_at_once_are_refused_without_showing_either(file: Path) -> None:
    said = problem({"SAFE_CODE": "rosebud", "SAFE_CODE_FILE": str(file)})
    assert "SAFE_CODE (opens it): is set, and so is SAFE_CODE_FILE; unset one of them" in said
    assert "rosebud" not in said
    assert "sesame" not in said


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    said = problem({"SAFE_CODE_FILE": str(path)})
    assert f"SAFE_CODE (opens it): {path}, which SAFE_CODE_FILE names, cannot be read: No such file" in said


@pytest.mark.parametrize(("octets", "what"), [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "is not UTF-8")])
def test_a_file_without_a_secret_is_named_and_not_quoted(file: Path, octets: bytes, what: str) -> None:
    file.write_bytes(octets)
    assert problem({"SAFE_CODE_FILE": str(file)}).endswith(f"{file}, which SAFE_CODE_FILE names, {what}")


def test_what_is_no_secret_has_no_file(file: Path) -> None:
    assert load(Safe, {"SAFE_CODE": "x", "SAFE_COLOUR_FILE": str(file)}).colour == "grey"


def test_an_empty_name_of_a_file_counts_as_unset() -> None:
    assert load(Safe, {"SAFE_CODE": "x", "SAFE_CODE_FILE": ""}).code == "x"


def test_commands_find_the_urls_of_databases_in_files(file: Path, tmp_path: Path) -> None:
    file.write_text("postgresql://user@host/pricing\n")
    environment = client_environment({"TUKUPAY_HOME": str(tmp_path), "PRICING_DATABASE_URL_FILE": str(file)})
    assert environment["PRICING_DATABASE_URL"] == "postgresql://user@host/pricing"
    assert "PRICING_DATABASE_URL_FILE" not in environment


def test_a_url_of_a_database_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"PRICING_DATABASE_DIRECT_URL: .* cannot be read"):
        client_environment({"TUKUPAY_HOME": str(tmp_path), "PRICING_DATABASE_DIRECT_URL_FILE": str(tmp_path / "x")})


@pytest.mark.parametrize("settings", [GatewaySettings, MessagingSettings, PricingSettings, LocalSettings])
def test_whatever_is_called_a_secret_may_be_in_a_file(settings: type) -> None:
    secret = re.compile(r"(PASSWORD|SECRETS?|TOKEN|CREDENTIALS?|DATABASE_URL|DIRECT_URL|SMTP_URL|API_KEY)$")
    named = [each for each in declared(settings) if secret.search(each.env)]
    assert named
    assert [each.env for each in named if not each.is_secret] == []


@pytest.mark.parametrize("settings", [GatewaySettings, MessagingSettings, PricingSettings, LocalSettings])
def test_no_setting_has_the_name_of_a_file_of_another_one(settings: type) -> None:
    every = {each.env for each in declared(settings)}
    assert [each.env for each in declared(settings) if each.is_secret and each.env + FILE_SUFFIX in every] == []
