"""Values of what a cluster offers: networks, monitoring, certificates and secrets."""

from __future__ import annotations

from typing import Final

from deploy.tools.component_values import NAME
from deploy.tools.values_model import (
    ANY_LIST,
    FLAG,
    LABELS,
    PORT,
    TEXT,
    Value,
    Values,
    matching,
    words,
)

_MONITORING: Final = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
_DNS: Final = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
_DURATION: Final = matching(r"^([0-9]+(h|m|s))+$")


_PEERS: Final = (
    "peers of Kubernetes' NetworkPolicy; empty for the hosts, where they are addresses, or else anywhere at that port"
)
NETWORK_POLICY: Final = Values(
    "NetworkPolicies: nothing comes or goes but what these allow. Ports are those of the addresses in other values",
    {
        "enabled": Value(True, "whether there are any", FLAG),
        "dns": Values(
            "the cluster's DNS",
            {"to": Value([_DNS], "its pods", ANY_LIST), "port": Value(53, "its port", PORT)},
        ),
        "monitoring": Values("who scrapes", {"from": Value([_MONITORING], "its peers; empty for nobody", ANY_LIST)}),
        "gatewayFrom": Value([], "who may call the gateway; empty for everybody", ANY_LIST),
        "grpcFrom": Value([], "who may call pricing and messaging beside the components", ANY_LIST),
        "peers": Values(
            "where addresses are, for those that are names",
            {
                "database": Value([], f"servers of the database: {_PEERS}", ANY_LIST),
                "carriers": Value([], f"carriers: {_PEERS}", ANY_LIST),
                "issuers": Value([], f"identity providers: {_PEERS}", ANY_LIST),
                "otlp": Value([], f"the collector of traces: {_PEERS}", ANY_LIST),
                "transit": Value([], f"the transit engine: {_PEERS}", ANY_LIST),
                "smtp": Value([], f"the mail relay: {_PEERS}", ANY_LIST),
            },
        ),
        "smtpPort": Value(587, "port of the mail relay, where CHANNEL_SMTP_URL is among the secrets", PORT),
        "webhooks": Values(
            "the public internet, for webhooks and channels",
            {
                "enabled": Value(True, "whether messaging may reach it", FLAG),
                "ports": Value([443], "at which ports", {"type": "array", "items": PORT, "minItems": 1}),
            },
        ),
    },
)
MONITORING: Final = Values(
    "for the Prometheus operator and Grafana",
    {
        "scrape": Value(
            "none", "`pod` for PodMonitors, `service` for ServiceMonitors", words("none", "pod", "service")
        ),
        "interval": Value("15s", "time between two scrapes", _DURATION),
        "labels": Value({}, "labels by which a Prometheus finds monitors and rules", LABELS),
        "rules": Values(
            "the alerts of deploy/alerts", {"enabled": Value(False, "whether there is a PrometheusRule", FLAG)}
        ),
        "dashboards": Values(
            "the dashboards of deploy/dashboards",
            {
                "enabled": Value(False, "whether there are ConfigMaps of them", FLAG),
                "labels": Value({"grafana_dashboard": "1"}, "labels by which Grafana's sidecar finds them", LABELS),
            },
        ),
    },
)
CERT_MANAGER: Final = Values(
    "Certificates of cert-manager for all components",
    {
        "enabled": Value(False, "whether there are any", FLAG),
        "issuerRef": Values(
            "who issues them",
            {
                "name": Value("", "name of the issuer; empty for an authority that the chart makes", NAME),
                "kind": Value("Issuer", "Issuer or ClusterIssuer", TEXT),
                "group": Value("cert-manager.io", "API group of it", TEXT),
            },
        ),
        "duration": Value("720h", "how long a certificate is valid", _DURATION),
        "renewBefore": Value("240h", "how long before its end it is renewed", _DURATION),
        "operator": Values(
            "a certificate for whoever runs commands",
            {
                "enabled": Value(False, "whether there is one, in the Secret `<fullname>-operator-tls`", FLAG),
                "uri": Value(
                    "spiffe://tukupay/operator",
                    "URI in it, which access.identities gives its scopes",
                    matching("^spiffe://"),
                ),
            },
        ),
    },
)
EXTERNAL_SECRETS: Final = Values(
    "ExternalSecrets for every Secret that is read, but for those of certificates",
    {
        "enabled": Value(False, "whether there are any", FLAG),
        "secretStoreRef": Values(
            "where they come from",
            {
                "name": Value("tukupay-sms", "name of the store", TEXT),
                "kind": Value(
                    "SecretStore", "SecretStore or ClusterSecretStore", words("SecretStore", "ClusterSecretStore")
                ),
            },
        ),
        "remotePrefix": Value("", "what stands before the name of a Secret in the store, such as `sms/`", TEXT),
        "refreshInterval": Value("15m", "time between two looks at the store", _DURATION),
    },
)
