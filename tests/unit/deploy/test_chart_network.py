"""NetworkPolicies let through what the settings have addresses of, and nothing else."""

from __future__ import annotations

import ipaddress
import tomllib
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.system.chart import VARIANTS, Object, component, deployments, needs_helm, objects, of_kind

pytestmark = needs_helm
WITH_POLICIES = [variant for variant in VARIANTS if variant != "minimal"]
DNS = {("UDP", 53), ("TCP", 53)}


def policies(variant: str) -> dict[str, Object]:
    return {component(each): each["spec"] for each in of_kind(objects(variant), "NetworkPolicy")}


def environment(variant: str, name: str) -> dict[str, str]:
    spec = deployments(objects(variant))[name]["spec"]["template"]["spec"]
    return {each["name"]: each["value"] for each in spec["containers"][0]["env"]}


def toml(variant: str, file: str) -> dict[str, Any]:
    found = [each["data"][file] for each in of_kind(objects(variant), "ConfigMap") if file in each["data"]]
    return tomllib.loads(found[0]) if found else {}


def ports_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (80 if parts.scheme == "http" else 443)


def addresses(variant: str, name: str) -> set[int]:
    """The ports of all addresses that a component calls, as its own settings and files say."""
    variables = environment(variant, name)
    called = {
        int(variables[key].rpartition(":")[2])
        for key in variables
        if key.endswith(("_PRICING_ADDRESS", "_MESSAGING_ADDRESS"))
    }
    called |= {int(variables[key]) for key in ("PGPORT", "SMPP_PORT") if key in variables}
    called |= {ports_of(each["jwks_url"]) for each in toml(variant, "issuers.toml").get("issuers", [])}
    called |= {ports_of(variables[key]) for key in variables if key.endswith(("_OTLP_ENDPOINT", "_TRANSIT_URL"))}
    if "MESSAGING_CARRIERS_FILE" in variables:
        called |= {each.get("port", 443) for each in toml(variant, "carriers.toml")["carriers"]}
    if "CHANNEL_SMTP_URL_FILE" in variables:
        called.add(587)
    if name == "messaging":
        called.add(443)  # webhooks and channels
    return called


@pytest.mark.parametrize("variant", WITH_POLICIES)
def test_what_no_policy_allows_is_denied(variant: str) -> None:
    denied = policies(variant)["default-deny"]
    assert denied["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & denied.keys()
    selector = denied["podSelector"]["matchLabels"].items()
    for each in of_kind(objects(variant), "Deployment", "Job"):
        assert selector <= each["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("variant", WITH_POLICIES)
def test_every_pod_has_a_policy_that_selects_it_alone(variant: str) -> None:
    selected = {
        name: spec["podSelector"]["matchLabels"].items()
        for name, spec in policies(variant).items()
        if name != "default-deny"
    }
    for each in of_kind(objects(variant), "Deployment", "Job"):
        labels = each["spec"]["template"]["metadata"]["labels"].items()
        assert [name for name, selector in selected.items() if selector <= labels] == [component(each)]


@pytest.mark.parametrize("name", ["pricing", "messaging", "gateway"])
@pytest.mark.parametrize("variant", WITH_POLICIES)
def test_a_component_reaches_the_ports_of_its_addresses_and_no_others(variant: str, name: str) -> None:
    rules = policies(variant)[name]["egress"]
    allowed = {(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]}
    wanted = {("TCP", port) for port in addresses(variant, name)} | DNS
    if variant == "external-database" and name != "gateway":
        wanted.add(("TCP", 5433))  # past the pooler, for migrations
    assert allowed == wanted


def test_hosts_that_are_addresses_are_the_only_ones_of_their_ports() -> None:
    def to(port: int, variant: str = "external-database") -> list[str]:
        rules = policies(variant)["messaging"]["egress"]
        return [
            peer["ipBlock"]["cidr"]
            if "ipBlock" in peer
            else peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
            for rule in rules
            if rule["ports"][0]["port"] == port
            for peer in rule["to"]
        ]

    assert to(5433) == ["10.20.0.5/32"]
    assert to(5432, "mtls") == ["10.20.0.5/32", "10.20.0.6/32"]
    assert to(3550) == ["192.0.2.20/32"]
    assert to(6432) == ["pgbouncer"]
    pooler = policies("external-database")["pgbouncer"]
    assert [peer["ipBlock"]["cidr"] for rule in pooler["egress"][1:] for peer in rule["to"]] == [
        "10.20.0.7/32",
        "10.20.0.5/32",
    ]


def test_webhooks_reach_public_addresses_and_the_private_networks_that_settings_allow() -> None:
    (rule,) = (
        rule
        for rule in policies("all-on")["messaging"]["egress"]
        if {"ipBlock"} <= rule.get("to", [{}])[0].keys() and rule["to"][0]["ipBlock"]["cidr"] == "0.0.0.0/0"
    )
    blocks = [peer["ipBlock"] for peer in rule["to"]]

    def is_allowed(text: str) -> bool:
        address = ipaddress.ip_address(text)
        return any(
            address in ipaddress.ip_network(block["cidr"])
            and not any(address in ipaddress.ip_network(each) for each in block.get("except", []))
            for block in blocks
        )

    assert all(is_allowed(each) for each in ("198.51.100.1", "10.1.2.3", "10.2.0.1", "2606:4700::1"))
    assert not any(
        is_allowed(each) for each in ("10.3.0.1", "169.254.169.254", "127.0.0.1", "192.168.1.1", "fd00::1", "::1")
    )


@pytest.mark.parametrize("variant", WITH_POLICIES)
def test_services_are_called_by_those_that_have_their_address_and_scraped_by_prometheus(variant: str) -> None:
    found = policies(variant)
    callers = {"pricing": {"gateway", "messaging"}, "messaging": {"gateway"}}
    for name, wanted in callers.items():
        (calls, scrapes) = found[name]["ingress"]
        peers = [peer["podSelector"]["matchLabels"] for peer in calls["from"]]
        assert {peer.get("app.kubernetes.io/component") for peer in peers} - {None} == wanted
        assert calls["ports"] == [{"protocol": "TCP", "port": "grpc"}]
        assert scrapes["ports"] == [{"protocol": "TCP", "port": "metrics"}]
    for name in ("migrate",) if "migrate" in found else ():
        assert "ingress" not in found[name]


def test_a_migration_reaches_the_database_alone() -> None:
    for variant in ("default", "all-on", "mtls"):
        rules = policies(variant)["migrate"]["egress"]
        assert {(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]} == DNS | {("TCP", 5432)}
