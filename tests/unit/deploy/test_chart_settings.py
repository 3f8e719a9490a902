"""The services take the environment that the chart gives them: every name is a setting, and the settings build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.tools.settings_names import CLASSES
from messaging_service.carriers.files.carriers_file import read_carriers_file
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from pricing_service.settings import PricingMigrationSettings
from service_kit.access.identities import read_identities
from service_kit.access.oidc.issuers_file import read_issuers_file
from service_kit.settings import FILE_SUFFIX, Address, declared, load
from tests.system.chart import COMPONENTS, VARIANTS, Object, deployments, needs_helm, objects, of_kind, pods

pytestmark = needs_helm
MIGRATIONS: dict[str, type] = {"pricing": PricingMigrationSettings, "messaging": DatabaseSettings}
LIBPQ = {"PGHOST", "PGPORT", "PGTARGETSESSIONATTRS", "PGSSLMODE", "PGSSLROOTCERT"}
"""Of the environment, what libpq reads."""
ALL_SERVICES = {"LOG_LEVEL"}


def container(each: Object, name: str) -> Object:
    spec = each["spec"]["template"]["spec"]
    return next(c for c in [*spec["containers"], *spec.get("initContainers", [])] if c["name"] == name)


def environment(variant: str, name: str, root: Path) -> dict[str, str]:
    """The environment of a component, with the files that it names below another root."""
    found = objects(variant)
    deployment = deployments(found)[name]
    variables = {
        each["name"]: each["value"].replace("/etc/tukupay-sms", str(root))
        for each in container(deployment, name)["env"]
        if each["name"] != "TZ"
    }
    put_files(found, deployment["spec"]["template"]["spec"], root)
    return variables


def put_files(found: tuple[Object, ...], spec: Object, root: Path) -> None:
    mounts = {
        mount["name"]: mount["mountPath"].replace("/etc/tukupay-sms", str(root))
        for each in [*spec["containers"], *spec.get("initContainers", [])]
        for mount in each.get("volumeMounts", [])
        if mount["mountPath"].startswith("/etc/tukupay-sms")
    }
    texts = {each["metadata"]["name"]: each["data"] for each in of_kind(found, "ConfigMap")}
    for volume in spec["volumes"]:
        if volume["name"] not in mounts:
            continue
        for path, text in files_of(volume, texts):
            file = Path(mounts[volume["name"]]) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("/etc/tukupay-sms", str(root)))


def files_of(volume: Object, texts: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    if "configMap" in volume and volume["configMap"]["name"] in texts:
        yield from texts[volume["configMap"]["name"]].items()
    elif "configMap" in volume:
        yield from ((item["path"], "PEM") for item in volume["configMap"]["items"])
    elif "projected" in volume:
        for source in volume["projected"]["sources"]:
            for item in source["secret"]["items"]:
                yield item["path"], secret(item["path"])
    else:
        items = volume["secret"].get("items") or [{"path": name} for name in ("tls.crt", "tls.key", "ca.crt")]
        yield from ((item["path"], "PEM") for item in items)


def secret(name: str) -> str:
    known = {
        "SERVICE_TOKEN": "t" * 43,
        "DATABASE_URL": "postgresql://sms:secret@/sms",
        "DATABASE_DIRECT_URL": "postgresql://sms:secret@db.example/sms?sslmode=verify-full",
        "CHANNEL_SMTP_URL": "smtp+starttls://sms:secret@mail.example:587",
        "GATEWAY_AFRICASTALKING_SECRETS": "africastalking=" + "s" * 32,
    }
    return next((text for end, text in known.items() if name.endswith(end)), "secret")


@contextmanager
def libpq(variables: Mapping[str, str]) -> Iterator[None]:
    """libpq reads its part from the process itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name in LIBPQ:
            patch.delenv(name, raising=False)
        for name in LIBPQ & variables.keys():
            patch.setenv(name, variables[name])
        yield


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_name_in_the_environment_is_a_setting(variant: str, name: str, tmp_path: Path) -> None:
    settings = declared(CLASSES[name])
    known = {each.env for each in settings} | {each.env + FILE_SUFFIX for each in settings if each.is_secret}
    assert environment(variant, name, tmp_path).keys() - known - LIBPQ - ALL_SERVICES == set()


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_service_takes_its_environment(variant: str, name: str, tmp_path: Path) -> None:
    variables = environment(variant, name, tmp_path)
    with libpq(variables):
        settings: Any = load(CLASSES[name], variables)
    listener: Address = settings.http_address if name == "gateway" else settings.grpc_address
    assert not listener.is_loopback
    for variable, text in variables.items():
        if text.startswith(str(tmp_path)):
            assert Path(text).is_file(), f"{variable} names {text}, which nothing mounts"


@pytest.mark.parametrize("service", ["pricing", "messaging"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_migration_takes_its_environment(variant: str, service: str, tmp_path: Path) -> None:
    found = objects(variant)
    migrations = [
        (spec, each)
        for spec in (template["spec"] for name, template in pods(found).items() if service in name)
        for each in [*spec["containers"], *spec.get("initContainers", [])]
        if each["name"] == "migrate"
    ]
    if variant == "minimal":
        assert migrations == []
        return
    ((spec, migration),) = migrations
    put_files(found, spec, tmp_path)
    variables = {each["name"]: each["value"].replace("/etc/tukupay-sms", str(tmp_path)) for each in migration["env"]}
    assert migration["args"] == ["python", "-m", f"{service}_service.migrate", "--grant", service]
    with libpq(variables):
        settings: Any = load(MIGRATIONS[service], variables)
    assert settings.database_url != settings.database_direct_url


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_services_read_the_files_that_the_chart_makes(variant: str, tmp_path: Path) -> None:
    variables = environment(variant, "messaging", tmp_path)
    # It raises where anything in the file is wrong.
    identities = read_identities(Path(variables["MESSAGING_IDENTITIES_FILE"]).read_text())
    assert identities.count >= 2
    if variant == "all-on":
        plan = read_carriers_file(Path(variables["MESSAGING_CARRIERS_FILE"]), {})
        assert [carrier.name for carrier in plan.carriers] == ["safaricom", "airtel", "africastalking"]
        (issuer,) = read_issuers_file(Path(variables["MESSAGING_ISSUERS_FILE"]))
        assert issuer.name == "staff"


def test_of_several_hosts_the_one_that_takes_writes_is_used(tmp_path: Path) -> None:
    several = environment("mtls", "pricing", tmp_path)
    assert (several["PGHOST"], several["PGTARGETSESSIONATTRS"]) == ("10.20.0.5,10.20.0.6", "read-write")
    # A URL of a standby would be refused for it.
    assert "PGTARGETSESSIONATTRS" not in environment("default", "pricing", tmp_path)
