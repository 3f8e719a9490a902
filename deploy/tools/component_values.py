"""Values that the three components have in common, and those of single ones."""

from __future__ import annotations

from typing import Any, Final

from deploy.tools.values_model import (
    ANY_LIST,
    ANY_MAP,
    FLAG,
    LABELS,
    PORT,
    QUANTITY,
    TEXT,
    TEXTS,
    Schema,
    Value,
    Values,
    matching,
    nullable,
    number,
    record,
    words,
)

NAME: Final[Schema] = matching(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")
"""Of an object of Kubernetes; empty for the one that the chart makes up."""
SHA256S: Final[Schema] = {"type": "array", "items": matching("^[0-9a-f]{64}$")}
_SPREAD: Final[Schema] = {
    "type": "array",
    "items": record(
        {
            "topologyKey": TEXT,
            "maxSkew": number(1, 100),
            "whenUnsatisfiable": words("ScheduleAnyway", "DoNotSchedule"),
        }
    ),
}
SPREAD: Final[list[dict[str, Any]]] = [
    {"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
    {"topologyKey": "kubernetes.io/hostname", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
]


def resources(cpu: str, memory: str, most_cpu: str, most_memory: str) -> Value:
    """Requests and limits."""
    amounts: Schema = {"type": "object", "additionalProperties": QUANTITY}
    return Value(
        {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": most_cpu, "memory": most_memory}},
        "what a container asks for, and the most that it gets",
        record({"requests": amounts, "limits": amounts}),
    )


def placement() -> dict[str, Value]:
    """Where pods run."""
    return {
        "nodeSelector": Value({}, "labels of the nodes that pods may run on", LABELS),
        "affinity": Value({}, "affinity of its pods, as Kubernetes has it", ANY_MAP),
        "tolerations": Value([], "taints that its pods tolerate, as Kubernetes has them", ANY_LIST),
        "priorityClassName": Value("", "PriorityClass of its pods; empty for the cluster's default", TEXT),
        "topologySpread": Value(
            SPREAD, "over what pods are spread; the selector is the chart's. An empty list for none", _SPREAD
        ),
    }


def service_account() -> Values:
    """The ServiceAccount of a component."""
    return Values(
        "ServiceAccount; no pod mounts its token",
        {
            "create": Value(True, "whether the chart makes it", FLAG),
            "name": Value("", "its name; empty for the component's. It is part of the URI in the certificate", NAME),
            "annotations": Value({}, "annotations of it", LABELS),
        },
    )


def component(name: str, *, replicas: int, resource: Value, settings: Schema, secrets: Schema) -> dict[str, Any]:
    """What each component has. `settings`, `secrets`: the schemas of its settings by their own names."""
    return {
        "replicas": Value(replicas, "pods; not rendered where something scales them", number(0, 1000)),
        "resources": resource,
        "settings": Value(
            {}, f"settings of {name} by the names in docs/operations.md, but for those that the chart sets", settings
        ),
        "secretSettings": Value(
            {}, "settings that are secrets or files of keys: name to {secret, key} of an existing Secret", secrets
        ),
        "drainSeconds": Value(20, "seconds that what is running may take to end after SIGTERM", number(0, 300)),
        "preDrainSeconds": Value(
            5 if name == "gateway" else 1,
            "seconds after SIGTERM for which calls are still taken, while readiness says no",
            number(0, 60),
        ),
        "preStopSeconds": Value(
            5,
            "seconds between the end of a pod's address and SIGTERM, so that nobody calls it any more",
            number(1, 120),
        ),
        "terminationGracePeriodSeconds": Value(
            40,
            "seconds until a pod is killed; more than preStopSeconds + preDrainSeconds + drainSeconds + 8",
            number(10, 600),
        ),
        "startupSeconds": Value(
            1800,
            "seconds that a pod may take to start; it waits for the schema, so for the migration",
            number(10, 86400),
        ),
        "autoscaling": Values(
            "a HorizontalPodAutoscaler by the use of processors",
            {
                "enabled": Value(False, "whether there is one", FLAG),
                "minReplicas": Value(2, "fewest pods", number(1, 1000)),
                "maxReplicas": Value(6, "most pods", number(1, 1000)),
                "targetCPUUtilizationPercentage": Value(70, "percent of the request that is aimed at", number(1, 100)),
            },
        ),
        "podDisruptionBudget": Values(
            "how many pods an eviction leaves",
            {
                "enabled": Value(True, "whether there is a budget", FLAG),
                "maxUnavailable": Value(1, "most pods away; a number or a percentage", {"type": ["integer", "string"]}),
                "minAvailable": Value(
                    None, "fewest pods that stay, in place of maxUnavailable", nullable({"type": ["integer", "string"]})
                ),
                "unhealthyPodEvictionPolicy": Value(
                    "AlwaysAllow",
                    "whether pods that are not ready may be evicted in any case, so that a broken one holds up no node",
                    words("AlwaysAllow", "IfHealthyBudget"),
                ),
            },
        ),
        **placement(),
        "serviceAccount": service_account(),
        "service": Values("the Service", {"annotations": Value({}, "annotations of it", LABELS)}),
        "tls": Values(
            "its certificate for the other components",
            {
                "existingSecret": Value(
                    "", f"Secret with tls.crt, tls.key and ca.crt; empty for `<fullname>-{name}-tls`", NAME
                )
            },
        ),
        "annotations": Value({}, "annotations of the Deployment", LABELS),
        "podAnnotations": Value({}, "annotations of its pods", LABELS),
        "podLabels": Value({}, "more labels of its pods", LABELS),
        "extraEnv": Value([], "more environment variables of the container, as Kubernetes has them", ANY_LIST),
        "extraVolumes": Value([], "more volumes of its pods", ANY_LIST),
        "extraVolumeMounts": Value([], "where the container mounts them", ANY_LIST),
        "initContainers": Value([], "containers that end before it starts", ANY_LIST),
        "sidecars": Value([], "containers beside it", ANY_LIST),
    }


def database(name: str) -> Values:
    """The database of a service."""
    inside: dict[str, Value] = {
        "hosts": Value([], "hosts of its server, in place of database.hosts", TEXTS),
        "existingSecret": Value(
            "", f"Secret with the URL that the service connects by; empty for `<fullname>-{name}-database`", NAME
        ),
        "ownerSecret": Value(
            "",
            f"Secret with the URL of the owner of the tables, for migrations; empty for `<fullname>-{name}-owner`",
            NAME,
        ),
        "urlKey": Value("url", "key of the URL in both Secrets", TEXT),
        "role": Value(
            name,
            "role of the service, which a migration grants what it needs; empty where the service owns the tables",
            TEXT,
        ),
    }
    if name == "messaging":
        inside["directUrlKey"] = Value(
            "", "key of a URL past the pooler in the Secret of the service, with its host; empty for none", TEXT
        )
    return Values("its database", inside)


def token(name: str) -> Values:
    """The token of a component where it shows no certificate."""
    return Values(
        "its token, where tls.mode is not `mutual`",
        {
            "existingSecret": Value("", f"Secret with the key `token`; empty for `<fullname>-{name}-token`", NAME),
            "sha256": Value(
                [], "SHA-256 of the token, as `tukupay-sms tokens create` prints it; two while one is replaced", SHA256S
            ),
        },
    )


def smpp() -> dict[str, Any]:
    """Which carriers there are."""
    return {
        "smpp": Values(
            "the carrier, where `messaging.carriers` is empty",
            {
                "name": Value("smpp", "its name in records and metrics", TEXT),
                "host": Value("smsc.carrier.example", "host of its SMPP server", matching("^[^/:]+$")),
                "port": Value(2775, "port of it", PORT),
                "systemId": Value("tukupay", "our name there", TEXT),
                "existingSecret": Value(
                    "", "Secret with the key `password`; empty for `<fullname>-messaging-smpp`", NAME
                ),
                "binds": Value(1, "binds of a pod", number(1, 100)),
                "maxBinds": Value(
                    1,
                    "binds that the carrier allows over all pods, which share them by leases; 0 for no limit",
                    number(0, 100),
                ),
            },
        ),
        "carriers": Value(
            {},
            "carriers, networks, routes and breaker as in the carriers file (docs/guides/carriers.md), in place of "
            "`messaging.smpp`. Passwords are files: password_file: /etc/tukupay-sms/secrets/NAME",
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "carriers": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["name", "kind"],
                            "properties": {"kind": words("smpp", "africastalking")},
                            # Secrets are in files.
                            "not": {"anyOf": [{"required": ["password"]}, {"required": ["api_key"]}]},
                        },
                    },
                    "networks": {"type": "object", "additionalProperties": TEXTS},
                    "routes": ANY_LIST,
                    "breaker": ANY_MAP,
                },
            },
        ),
        "carrierSecrets": Value(
            [],
            "files for carriers in /etc/tukupay-sms/secrets: {file, secret, key}, with an existing Secret",
            {"type": "array", "items": record({"file": matching("^[A-Za-z0-9._-]+$"), "secret": TEXT, "key": TEXT})},
        ),
        "keda": Values(
            "a ScaledObject of KEDA by the age of the oldest due message, in place of messaging.autoscaling",
            {
                "enabled": Value(False, "whether there is one", FLAG),
                "minReplicas": Value(2, "fewest pods", number(1, 1000)),
                "maxReplicas": Value(6, "most pods", number(1, 1000)),
                "oldestDueSeconds": Value(30, "seconds that the oldest due message may wait", number(1, 86400)),
                "prometheusAddress": Value(
                    "http://prometheus-operated.monitoring.svc:9090",
                    "where KEDA asks Prometheus",
                    matching("^https?://"),
                ),
            },
        ),
    }


def http() -> dict[str, Any]:
    """How the gateway is reached."""
    return {
        "http": Values(
            "HTTPS of the gateway",
            {
                "tls": Value(
                    "certificate",
                    "`certificate` where the gateway speaks TLS, `proxy` where only a proxy that does can reach it",
                    words("certificate", "proxy"),
                ),
                "existingSecret": Value(
                    "", "Secret with tls.crt and tls.key for callers; empty for that of gateway.tls", NAME
                ),
            },
        ),
        "ingress": Values(
            "an Ingress",
            {
                "enabled": Value(False, "whether there is one", FLAG),
                "className": Value("", "its IngressClass; empty for the cluster's default", TEXT),
                "hosts": Value(["sms.example.com"], "names that callers use", TEXTS),
                "tlsSecret": Value("", "Secret with the certificate of these names; empty for none", NAME),
                "annotations": Value(
                    {}, "annotations, such as those by which a controller speaks TLS to the gateway", LABELS
                ),
            },
        ),
        "route": Values(
            "an HTTPRoute of the Gateway API",
            {
                "enabled": Value(False, "whether there is one", FLAG),
                "parentRefs": Value([], "Gateways that it belongs to, as the Gateway API has them", ANY_LIST),
                "hosts": Value(["sms.example.com"], "names that callers use", TEXTS),
                "annotations": Value({}, "annotations of it", LABELS),
                "backendCaConfigMap": Value(
                    "tukupay-sms-ca", "ConfigMap with ca.crt, the authority of the gateway's certificate", NAME
                ),
            },
        ),
    }
