"""Migrations are plain Jobs that an upgrade never has to change, under an account and a role of their own."""

from __future__ import annotations

import pytest
import yaml

from deploy.tools import make_chart
from tests.system.chart import CHART, NEWEST, Object, deployments, needs_helm, objects, of_kind


def jobs(*arguments: str) -> dict[str, Object]:
    """The Jobs by the service that they migrate."""
    found = of_kind(objects("default", NEWEST, *arguments), "Job")
    return {
        service: each
        for service in ("pricing", "messaging")
        for each in found
        if f"-{service}-" in each["metadata"]["name"]
    }


def names(*arguments: str) -> list[str]:
    return [each["metadata"]["name"] for each in jobs(*arguments).values()]


def test_the_revisions_are_the_heads_of_the_migrations() -> None:
    assert (CHART / "files" / "schema-revisions.yaml").read_text("utf-8") == make_chart.revisions()


@needs_helm
def test_a_job_is_named_by_the_revision_and_is_no_hook() -> None:
    revisions = yaml.safe_load(make_chart.revisions())
    found = jobs()
    assert set(found) == {"pricing", "messaging"}
    for service, job in found.items():
        assert job["metadata"]["name"].startswith(f"sms-tukupay-sms-migrate-{service}-{revisions[service]}-")
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"


@needs_helm
@pytest.mark.parametrize(
    "change", ["image.tag=9.9.9", "database.port=6000", "migrate.backoffLimit=3", "logLevel=DEBUG"]
)
def test_a_job_that_would_run_otherwise_has_another_name(change: str) -> None:
    assert set(names()).isdisjoint(names("--set", change))


@needs_helm
@pytest.mark.parametrize(
    "change", ["messaging.replicas=5", "gateway.settings.GATEWAY_MAX_BATCHES=2", "commonLabels.team=a"]
)
def test_a_job_that_would_run_the_same_has_the_same_name(change: str) -> None:
    assert names() == names("--set", change)


@needs_helm
def test_a_migration_has_an_account_and_a_role_of_its_own() -> None:
    found = objects("default")
    accounts = {each["metadata"]["name"] for each in of_kind(found, "ServiceAccount")}
    services = {each["spec"]["template"]["spec"]["serviceAccountName"] for each in deployments(found).values()}
    migrations = {each["spec"]["template"]["spec"]["serviceAccountName"] for each in jobs().values()}
    assert len(migrations) == 1
    assert migrations.isdisjoint(services)
    assert migrations | services == accounts
    for service, each in deployments(found).items():
        assert "-owner" not in str(each["spec"]["template"]["spec"]["volumes"]), service
    for service, job in jobs().items():
        sources = [
            source["secret"]["name"]
            for volume in job["spec"]["template"]["spec"]["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
        ]
        assert sources == [f"sms-tukupay-sms-{service}-database", f"sms-tukupay-sms-{service}-owner"]


@needs_helm
def test_somebody_else_may_migrate() -> None:
    for variant in ("minimal", "external-database"):
        found = objects(variant)
        assert of_kind(found, "Job") == []
        assert {"migrate"} & {
            each["metadata"]["name"].rpartition("-")[2] for each in of_kind(found, "ServiceAccount")
        } == set()
        first = {
            name: each["spec"]["template"]["spec"].get("initContainers") for name, each in deployments(found).items()
        }
        if variant == "minimal":
            assert first == {"pricing": None, "messaging": None, "gateway": None}
        else:
            assert {name: [one["name"] for one in each or []] for name, each in first.items()} == {
                "pricing": ["migrate"], "messaging": ["migrate"], "gateway": [],
            }  # fmt: skip
