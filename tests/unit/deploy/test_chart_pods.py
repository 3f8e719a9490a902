"""How the pods of the chart run: with no rights, in their bounds, spread, drained, and asked by probes of their own."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.system.chart import (
    CHART,
    COMPONENTS,
    NEWEST,
    VARIANTS,
    Object,
    component,
    deployments,
    helm,
    needs_helm,
    objects,
    of_kind,
    pods,
)

pytestmark = needs_helm
OF_THE_CHART = {*COMPONENTS, "migrate", "pgbouncer"}
"""Containers; others come from values."""


def containers(variant: str) -> list[tuple[Object, Object]]:
    """Each container of the chart, with the spec of its pod."""
    return [
        (pod["spec"], each)
        for pod in pods(objects(variant)).values()
        for each in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
        if each["name"] in OF_THE_CHART
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_pods_keep_to_the_restricted_standard(variant: str) -> None:
    for spec, each in containers(variant):
        pod, context = spec["securityContext"], each["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert (pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]) == (10001, 10001, 10001)
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["runAsNonRoot"] is True
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert {key for volume in spec["volumes"] for key in volume} <= {
            "name",
            "emptyDir",
            "secret",
            "projected",
            "configMap",
        }


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_tmp_can_be_written_to(variant: str) -> None:
    for spec, each in containers(variant):
        writable = {mount["mountPath"] for mount in each["volumeMounts"] if not mount.get("readOnly")}
        assert writable - {"/scratch"} == {"/tmp"}
        (tmp,) = (volume for volume in spec["volumes"] if volume["name"] == "tmp")
        assert tmp["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_mounted_is_there(variant: str) -> None:
    for spec, each in containers(variant):
        mounts = [mount["name"] for mount in each["volumeMounts"]]
        assert set(mounts) <= {volume["name"] for volume in spec["volumes"]}
        assert len(mounts) == len(set(mounts))


@pytest.mark.parametrize("variant", VARIANTS)
def test_containers_have_requests_and_limits(variant: str) -> None:
    for _, each in containers(variant):
        assert set(each["resources"]) == {"requests", "limits"}
        assert all(set(amounts) >= {"cpu", "memory"} for amounts in each["resources"].values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_secrets_come_as_files_alone(variant: str) -> None:
    for _, each in containers(variant):
        assert "envFrom" not in each
        assert all("valueFrom" not in variable for variable in each.get("env", []))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_pod_drains_before_it_is_killed(variant: str) -> None:
    for name, each in deployments(objects(variant)).items():
        spec = each["spec"]["template"]["spec"]
        container = next(one for one in spec["containers"] if one["name"] == name)
        environment = {one["name"]: one.get("value") for one in container["env"]}
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        drain = float(environment[f"{name.upper()}_DRAIN_S"])
        assert (pause, drain, spec["terminationGracePeriodSeconds"]) == (5, 20, 40)
        # A process that does not end is gone 8 s after its drain (docs/operations.md).
        before = float(environment[f"{name.upper()}_PRE_DRAIN_S"])
        assert before == (5 if name == "gateway" else 1)
        assert pause + before + drain + 8 < spec["terminationGracePeriodSeconds"]
        assert each["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_a_grace_period_that_is_too_short_is_refused() -> None:
    done = helm("template", "sms", str(CHART), "--set", "messaging.drainSeconds=30")
    assert "must be more than preStopSeconds + preDrainSeconds + drainSeconds + 8" in done.stderr


@pytest.mark.parametrize("variant", VARIANTS)
def test_probes_ask_a_port_of_their_own_in_plain_http(variant: str) -> None:
    for name, each in deployments(objects(variant)).items():
        container = next(one for one in each["spec"]["template"]["spec"]["containers"] if one["name"] == name)
        asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert asked == {
            "startup": {"path": "/startupz", "port": "probes"},
            "liveness": {"path": "/livez", "port": "probes"},
            "readiness": {"path": "/readyz", "port": "probes"},
        }
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        environment = {one["name"]: one.get("value") for one in container["env"]}
        assert environment[f"{name.upper()}_PROBES_ADDRESS"] == f"0.0.0.0:{ports['probes']}"
        assert environment[f"{name.upper()}_METRICS_ADDRESS"] == f"0.0.0.0:{ports['metrics']}"
        # It waits for the schema, and so for the migration.
        startup = container["startupProbe"]
        assert startup["failureThreshold"] * startup["periodSeconds"] >= 1800


@pytest.mark.parametrize("variant", VARIANTS)
def test_callers_find_every_ready_pod_by_a_headless_name(variant: str) -> None:
    found = objects(variant)
    services = {each["metadata"]["name"]: each for each in of_kind(found, "Service")}
    callers = deployments(found)
    targets = {
        one["value"]
        for name in ("messaging", "gateway")
        for one in callers[name]["spec"]["template"]["spec"]["containers"][0]["env"]
        if one["name"].endswith(("_PRICING_ADDRESS", "_MESSAGING_ADDRESS"))
    }
    assert len(targets) == 2
    for target in targets:
        host, _, port = target.removeprefix("dns:///").partition(":")
        service = services[host]["spec"]
        assert service["clusterIP"] == "None"
        assert "publishNotReadyAddresses" not in service
        # Nothing stands between a headless name and the port of a container.
        pod = callers[service["selector"]["app.kubernetes.io/component"]]["spec"]["template"]["spec"]["containers"][0]
        assert int(port) in {one["containerPort"] for one in pod["ports"] if one["name"] == "grpc"}


def test_disruption_budgets_do_not_depend_on_the_number_of_pods() -> None:
    budgets = {component(each): each["spec"] for each in of_kind(objects("default"), "PodDisruptionBudget")}
    assert set(budgets) == set(COMPONENTS)
    for spec in budgets.values():
        assert spec["maxUnavailable"] == 1
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert of_kind(objects("minimal"), "PodDisruptionBudget") == []
    other = {component(each): each["spec"] for each in of_kind(objects("all-on"), "PodDisruptionBudget")}["gateway"]
    assert other["minAvailable"] == "50%"
    assert "maxUnavailable" not in other


def test_each_component_is_placed_by_its_own_values() -> None:
    specs = {name: each["spec"]["template"]["spec"] for name, each in deployments(objects("all-on")).items()}
    assert specs["messaging"]["priorityClassName"] == "system-cluster-critical"
    assert specs["messaging"]["tolerations"][0]["key"] == "payments"
    assert "nodeAffinity" in specs["messaging"]["affinity"]
    assert specs["pricing"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert not {"priorityClassName", "tolerations", "affinity"} & specs["gateway"].keys()
    for name, spec in specs.items():
        spread = {each["topologyKey"]: each for each in spec["topologySpreadConstraints"]}
        assert set(spread) == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert all(
            each["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == name for each in spread.values()
        )


def test_what_values_add_to_a_pod_is_there() -> None:
    template = deployments(objects("all-on"))["messaging"]["spec"]["template"]
    names = [each["name"] for each in template["spec"]["containers"]]
    (container, *_), (first, *_) = template["spec"]["containers"], template["spec"]["initContainers"]
    assert (names, first["name"]) == (["messaging", "agent"], "wait")
    assert {"name": "TZ", "value": "UTC"} in container["env"]
    assert {"name": "scratch", "mountPath": "/scratch"} in container["volumeMounts"]
    assert template["metadata"]["labels"]["agent"] == "injected"
    assert template["metadata"]["annotations"]["example.com/agent"] == "true"
    assert template["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert container["image"] == "registry.example.com/tukupay-sms@sha256:" + "0" * 64


def test_nothing_says_how_many_replicas_there_are_where_something_scales_them() -> None:
    found = objects("all-on")
    assert all("replicas" not in each["spec"] for each in deployments(found).values())
    assert {component(each) for each in of_kind(found, "HorizontalPodAutoscaler")} == {"pricing", "gateway"}
    (scaled,) = of_kind(found, "ScaledObject")
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployments(found)["messaging"]["metadata"]["name"]
    assert "tukupay_queue_oldest_due_seconds" in scaled["spec"]["triggers"][0]["metadata"]["query"]
    assert all("replicas" in each["spec"] for each in deployments(objects("default")).values())


def test_scaling_up_never_asks_a_carrier_for_more_binds_than_it_allows() -> None:
    environment = {
        each["name"]: each["value"]
        for each in deployments(objects("default"))["messaging"]["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert environment["SMPP_MAX_BINDS"] == "1"


def test_another_file_of_carriers_is_rolled_out() -> None:
    def annotation(*arguments: str) -> Any:
        found = deployments(objects("all-on", NEWEST, *arguments))["messaging"]
        return found["spec"]["template"]["metadata"]["annotations"]["tukupay.com/carriers-sha256"]

    assert annotation() != annotation("--set", "messaging.carriers.breaker.failures=3")
    assert annotation() == annotation("--set", "logLevel=DEBUG")


def test_a_database_of_the_operator_loses_no_commit_with_a_machine() -> None:
    (cluster,) = of_kind(objects("all-on"), "Cluster")
    assert cluster["spec"]["postgresql"]["synchronous"] == {
        "method": "any", "number": 1, "dataDurability": "required", "failoverQuorum": True,
    }  # fmt: skip
    assert cluster["spec"]["instances"] == 3
    assert cluster["spec"]["affinity"]["podAntiAffinityType"] == "required"


def test_poolers_work_by_transaction_and_keep_prepared_statements() -> None:
    (pooler,) = of_kind(objects("all-on"), "Pooler")
    # What services call it by, and check its certificate for.
    (cluster,) = of_kind(objects("all-on"), "Cluster")
    assert pooler["metadata"]["name"] in cluster["spec"]["certificates"]["serverAltDNSNames"]
    environment = {
        each["name"]: each["value"]
        for each in deployments(objects("all-on"))["messaging"]["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert environment["PGHOST"] == pooler["metadata"]["name"]
    assert pooler["spec"]["pgbouncer"]["poolMode"] == "transaction"
    assert int(pooler["spec"]["pgbouncer"]["parameters"]["max_prepared_statements"]) > 0
    ini = next(
        each["data"]["pgbouncer.ini"]
        for each in of_kind(objects("external-database"), "ConfigMap")
        if "pgbouncer.ini" in each["data"]
    )
    assert "\npool_mode = transaction\n" in ini
    assert "\nmax_prepared_statements = 200\n" in ini
    assert "\nmessaging = host=10.20.0.5 port=5433\n" in ini
    assert "\npricing = host=10.20.0.7 port=5433\n" in ini


def test_a_pooler_is_given_one_host_because_it_does_not_look_for_the_one_that_takes_writes() -> None:
    done = helm("template", "sms", str(CHART), "--set", "pgbouncer.enabled=true,database.hosts={a,b}")
    assert "give messaging one name" in done.stderr


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_prometheus_finds_each_component_under_the_name_that_alerts_look_for(kind: str) -> None:
    found = objects("all-on" if kind == "PodMonitor" else "external-database")
    monitors = of_kind(found, kind)
    assert len(monitors) == 3
    if kind == "PodMonitor":
        labels = [each["spec"]["template"]["metadata"]["labels"] for each in deployments(found).values()]
    else:
        labels = [each["metadata"]["labels"] for each in of_kind(found, "Service")]
    for monitor in monitors:
        (endpoint,) = monitor["spec"].get("podMetricsEndpoints") or monitor["spec"]["endpoints"]
        assert endpoint["port"] == "metrics"
        assert endpoint["relabelings"][0]["replacement"].startswith("tukupay-")
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        assert len([one for one in labels if wanted <= one.items()]) == 1


def test_every_secret_that_is_read_can_come_from_a_store_and_be_named() -> None:
    found = objects("all-on")
    made = {each["spec"]["target"]["name"]: each for each in of_kind(found, "ExternalSecret")}
    read = {
        (source["secret"]["name"], item["key"])
        for pod in pods(found).values()
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
    assert read <= {(name, one["secretKey"]) for name, each in made.items() for one in each["spec"]["data"]}
    certificates = {each["spec"]["secretName"] for each in of_kind(found, "Certificate")}
    whole = {
        volume["secret"]["secretName"]
        for pod in pods(found).values()
        for volume in pod["spec"]["volumes"]
        if "secret" in volume
    }
    assert whole <= certificates | {"sms-postgres-ca"}


def test_certificates_say_who_a_component_is_as_the_file_of_identities_does() -> None:
    found = objects("mtls")
    uris = {uri for each in of_kind(found, "Certificate") for uri in each["spec"].get("uris", [])}
    text = next(
        each["data"]["identities.toml"] for each in of_kind(found, "ConfigMap") if "identities.toml" in each["data"]
    )
    for name in ("gateway", "messaging"):
        uri = f"spiffe://sms.example.com/ns/sms/sa/sms-tukupay-sms-{name}"
        assert uri in uris
        assert f'"{uri}"' in text
    assert "spiffe://sms.example.com/operator" in uris
    for each in of_kind(found, "Certificate"):
        assert len(each["spec"]["uris"]) == 1
        assert "localhost" in each["spec"]["dnsNames"]


def test_ci_values_are_all_rendered() -> None:
    assert set(VARIANTS) == {"default", "all-on", "minimal", "mtls", "external-database"}
    for path in (CHART / "ci").glob("*.yaml"):
        assert isinstance(yaml.safe_load(path.read_text("utf-8")), dict)
