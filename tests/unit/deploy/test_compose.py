"""deploy/compose.yaml: hardened containers, settings that the services accept, and a file for each secret."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway_http.settings import GatewaySettings
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from pricing_service.settings import PricingMigrationSettings, PricingSettings
from service_kit.access.bearer_tokens import digest
from service_kit.access.identities import read_identities
from service_kit.encryption.key_file import parse_keys
from service_kit.settings import FILE_SUFFIX, declared, load
from tests.image.compose_file import ComposeService, read

ROOT = Path(__file__).parents[3]
SETTINGS: Mapping[str, type] = {
    "migrate-pricing": PricingMigrationSettings,
    "migrate-messaging": DatabaseSettings,
    "pricing": PricingSettings,
    "messaging": MessagingSettings,
    "gateway": GatewaySettings,
}
GIVEN = {"SMPP_HOST": "smpp.example", "SMPP_SYSTEM_ID": "tukupay"}


@pytest.fixture(scope="module")
def make_secrets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_secrets", ROOT / "deploy/compose/make_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return read(GIVEN)


def test_what_only_the_operator_knows_is_asked_for() -> None:
    with pytest.raises(ValueError, match="SMPP_HOST is the host of your operator"):
        read({})


def test_no_container_may_do_more_than_it_must(document: dict[str, Any]) -> None:
    assert set(document["services"]) == {*SETTINGS, "postgres"}
    for name, service in document["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"] == ("postgres" if name == "postgres" else "10001:10001")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert document["networks"]["database"] == {"internal": True}


def test_the_services_accept_their_settings(document: dict[str, Any], make_secrets: ModuleType, tmp_path: Path) -> None:
    make_secrets.write(tmp_path / "secrets", make_secrets.made("carrier's"))
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    for name, settings in SETTINGS.items():
        service = ComposeService(document, name, tmp_path / "secrets", {})
        environment = service.environment()
        known = {each.env for each in declared(settings)}
        unknown = {variable for variable in environment if variable.removesuffix(FILE_SUFFIX) not in known} - known
        assert unknown == set(), name
        secrets = {secret: document["secrets"][secret]["file"] for secret in service.said["secrets"]}
        for variable, text in environment.items():
            if text.startswith("/run/secrets/"):
                file = Path(secrets[text.removeprefix("/run/secrets/")]).name
                environment[variable] = str(tmp_path / "secrets" / file)
        load(settings, environment)


def test_every_secret_is_a_file_that_the_program_makes(document: dict[str, Any], make_secrets: ModuleType) -> None:
    made = make_secrets.made("carrier's")
    assert {Path(each["file"]).name for each in document["secrets"].values()} == set(made) - {"operator_token"}
    used = {secret for service in document["services"].values() for secret in service.get("secrets", ())}
    assert used == set(document["secrets"])
    script = (ROOT / "deploy/compose/make_databases.sh").read_text()
    assert set(re.findall(r":secrets/(\w+)", script)) == set(document["services"]["postgres"]["secrets"]) - {
        "postgres_password"
    }

    identities = {str(each["name"]): each for each in tomllib.loads(made["identities.toml"])["identity"]}
    read_identities(made["identities.toml"])
    for name in ("gateway", "messaging", "operator"):
        assert identities[name]["token_sha256"] == [digest(made[f"{name}_token"]).hex()]
    parse_keys(made["messaging_kek"])


def test_secrets_that_are_there_are_left_alone(make_secrets: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        make_secrets.write(tmp_path, make_secrets.made("carrier's"))
