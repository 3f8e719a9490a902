"""The chart renders to what Kubernetes takes, in its oldest and newest version, and to the same bytes each time."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.system.chart import (
    CHART,
    CUSTOM,
    NAMESPACE,
    NEWEST,
    OLDEST,
    ROOT,
    VARIANTS,
    helm,
    needs_helm,
    objects,
    of_kind,
    problems,
    rendered,
)

pytestmark = needs_helm
APIS = (
    "monitoring.coreos.com/v1", "keda.sh/v1alpha1", "gateway.networking.k8s.io/v1", "cert-manager.io/v1",
    "external-secrets.io/v1", "postgresql.cnpg.io/v1",
)  # fmt: skip


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("variant", VARIANTS)
def test_what_it_renders_fits_the_schemas(variant: str, version: str) -> None:
    found = objects(variant, version)
    assert len(found) >= 10
    assert [problem for each in found for problem in problems(each, version)] == []


def test_the_schemas_refuse_a_field_that_there_is_not() -> None:
    deployment, certificate = (of_kind(objects("mtls"), kind)[0] for kind in ("Deployment", "Certificate"))
    assert problems({**deployment, "spec": {**deployment["spec"], "replica": 1}}, NEWEST) != []
    assert problems({**certificate, "spec": {**certificate["spec"], "uri": []}}, NEWEST) != []
    assert problems({**certificate, "kind": "Certificates"}, NEWEST) == [
        "cert-manager.io/v1 Certificates: there is no schema of it"
    ]


def test_everything_that_has_a_schema_here_is_rendered_somewhere() -> None:
    kinds = {f"{each['apiVersion']} {each['kind']}" for variant in VARIANTS for each in objects(variant)}
    assert set(yaml.safe_load(CUSTOM.read_text("utf-8"))) <= kinds


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_renders_are_the_same_bytes(variant: str) -> None:
    # The other arguments make it another entry of the cache.
    assert rendered(variant) == rendered(variant, NEWEST, "--debug")


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_secret_and_no_hook_is_rendered(variant: str) -> None:
    assert of_kind(objects(variant), "Secret") == []
    assert "helm.sh/hook" not in rendered(variant)


def test_templates_use_nothing_that_differs_from_one_render_to_the_next() -> None:
    text = "\n".join(path.read_text("utf-8") for path in (CHART / "templates").iterdir())
    assert (
        re.findall(
            r"\b(lookup|rand\w+|now|date|uuidv4|gen[A-Z]\w+)\b\s", re.sub(r"(?m)^\s*#.*$|\{\{/\*.*?\*/\}\}", "", text)
        )
        == []
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_are_unique_and_everything_is_in_the_namespace(variant: str) -> None:
    found = objects(variant)
    names = [(each["kind"], each["metadata"]["name"]) for each in found]
    assert len(names) == len(set(names))
    assert {each["metadata"]["namespace"] for each in found} == {NAMESPACE}
    assert all(len(name) <= 63 for _, name in names)


def test_lint_finds_nothing() -> None:
    for values in ((), ("--values", str(CHART / "ci" / "all-on.yaml"))):
        done = helm("lint", "--strict", str(CHART), *values)
        assert done.returncode == 0, done.stdout
        assert "WARNING" not in done.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        "typo=1",
        "messaging.smpp.hosts=a",
        "messaging.settings.SMS_POLL=1",
        "migrate.mode=hook",
        "pricing.settings.SMS_POLL_S=1",
    ],
)
def test_a_value_that_means_nothing_is_refused(wrong: str) -> None:
    done = helm("template", "sms", str(CHART), "--set", wrong)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_a_password_among_the_carriers_is_refused() -> None:
    carrier = '[{"name": "a", "kind": "smpp", "host": "h", "port": 1, "system_id": "s", "password": "p"}]'
    assert helm("template", "sms", str(CHART), "--set-json", f"messaging.carriers.carriers={carrier}").returncode != 0


def test_values_of_a_chart_around_it_are_let_through() -> None:
    assert helm("template", "sms", str(CHART), "--set", "global.anything=1").returncode == 0


def test_parts_of_other_apis_are_rendered_by_value_and_may_be_left_to_what_the_cluster_has() -> None:
    others = {each["kind"] for each in objects("all-on") if each["apiVersion"] in APIS}
    assert len(others) >= 9
    assert {each["apiVersion"] for each in objects("default")}.isdisjoint(APIS)
    skipped = objects("all-on", NEWEST, "--set", "missingApis=skip")
    assert {each["apiVersion"] for each in skipped}.isdisjoint(APIS)
    known = objects(
        "all-on", NEWEST, "--set", "missingApis=skip", *(word for api in APIS for word in ("--api-versions", api))
    )
    assert {each["kind"] for each in known if each["apiVersion"] in APIS} == others
    values = ("--values", str(CHART / "ci" / "all-on.yaml"))
    failed = helm("template", "sms", str(CHART), *values, "--set", "missingApis=fail")
    assert failed.returncode != 0
    assert "the cluster does not know" in failed.stderr


def test_the_alerts_are_those_of_the_repository() -> None:
    (rules,) = of_kind(objects("all-on"), "PrometheusRule")
    assert rules["spec"] == yaml.safe_load((ROOT / "deploy" / "alerts" / "tukupay.yaml").read_text("utf-8"))


def test_the_dashboards_are_those_of_the_repository() -> None:
    files = sorted((ROOT / "deploy" / "dashboards").glob("*.json"))
    found = [
        each["data"] for each in of_kind(objects("all-on"), "ConfigMap") if "-dashboard-" in each["metadata"]["name"]
    ]
    assert {name: text.strip() for data in found for name, text in data.items()} == {
        path.name: path.read_text("utf-8").strip() for path in files
    }


def test_what_is_left_out_of_a_release_name_is_in_its_objects_names() -> None:
    done = helm("template", "a-release-with-a-name-of-53-characters-which-is-most", str(CHART))
    names = [each["metadata"]["name"] for each in yaml.safe_load_all(done.stdout) if each]
    assert names
    assert all(len(name) <= 63 for name in names)
