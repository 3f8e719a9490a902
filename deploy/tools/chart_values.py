"""Every value of the chart: `make chart` writes values.yaml, its schema and the table in the README from here."""

from __future__ import annotations

from typing import Final

from deploy.tools.cluster_values import CERT_MANAGER, EXTERNAL_SECRETS, MONITORING, NETWORK_POLICY
from deploy.tools.component_values import (
    NAME,
    component,
    database,
    http,
    resources,
    smpp,
    token,
)
from deploy.tools.database_values import CNPG, DATABASE, MIGRATE, PGBOUNCER
from deploy.tools.settings_names import secrets_schema, settings_schema
from deploy.tools.values_model import (
    ANY_MAP,
    LABELS,
    PORT,
    QUANTITY,
    TEXT,
    TEXTS,
    Value,
    Values,
    matching,
    record,
    words,
)


def _of(name: str, replicas: int, resource: Value) -> dict[str, Value | Values]:
    return component(
        name, replicas=replicas, resource=resource, settings=settings_schema(name), secrets=secrets_schema(name)
    )


PRICING: Final = Values(
    "the pricing service",
    {**_of("pricing", 2, resources("100m", "192Mi", "1", "512Mi")), "database": database("pricing")},
)
MESSAGING: Final = Values(
    "the messaging service",
    {
        **_of("messaging", 2, resources("250m", "384Mi", "2", "1Gi")),
        "database": database("messaging"),
        "token": token("messaging"),
        **smpp(),
    },
)
_GATEWAY: Final = _of("gateway", 2, resources("250m", "192Mi", "2", "512Mi"))
GATEWAY: Final = Values(
    "the HTTP gateway",
    {
        **_GATEWAY,
        "service": Values(
            "the Service",
            {
                "type": Value("ClusterIP", "its type", words("ClusterIP", "NodePort", "LoadBalancer")),
                "port": Value(443, "its port", PORT),
                "annotations": Value({}, "annotations of it", LABELS),
            },
        ),
        "token": token("gateway"),
        **http(),
    },
)

_IDENTITY: Final = record(
    {"name": matching("^[a-z0-9._-]{1,63}$"), "kind": words("workload", "operator"), "scopes": TEXTS},
    {
        "uri": matching("^spiffe://"),
        "token_sha256": {"type": "array", "items": matching("^[0-9a-f]{64}$")},
        "accounts": {"type": ["string", "array"]},
        "app": TEXT,
    },
)

ACCESS: Final = Values(
    "who may call. Access is always required, as services refuse to listen to other machines without it",
    {
        "trustDomain": Value(
            "tukupay", "trust domain of the URIs in certificates: spiffe://<it>/ns/<namespace>/sa/<account>", TEXT
        ),
        "identities": Value(
            [],
            "operators and other programs that may call the services, as in the identities file "
            "(docs/guides/access.md); gateway and messaging are in it already",
            {"type": "array", "items": _IDENTITY},
        ),
        "issuers": Value(
            [],
            "identity providers whose tokens are taken, as in the issuers file (docs/guides/access.md)",
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "issuer", "audiences", "jwks_url", "algorithms"],
                    "properties": {"jwks_url": matching("^https://")},
                },
            },
        ),
    },
)
ALL: Final = Values(
    "Values of the chart of TukuPay SMS",
    {
        "global": Value({}, "for a chart that has this one inside it; nothing here is read", ANY_MAP),
        "nameOverride": Value("", "name in labels, in place of the chart's", NAME),
        "fullnameOverride": Value(
            "", "beginning of the names of all objects; empty for one with the release's name", NAME
        ),
        "commonLabels": Value({}, "labels of all objects", LABELS),
        "commonAnnotations": Value({}, "annotations of all objects", LABELS),
        "missingApis": Value(
            "render",
            "what happens to a part that is switched on and needs an API which the cluster (or `--api-versions`) does "
            "not have: `render` it all the same, `skip` it, or `fail`",
            words("render", "skip", "fail"),
        ),
        "image": Values(
            "the image of all components",
            {
                "repository": Value("tukupay-sms", "where it is", TEXT),
                "tag": Value("", "its tag; empty for the version of the application", TEXT),
                "digest": Value("", "its digest (sha256:…), in place of the tag", matching("^(sha256:[0-9a-f]{64})?$")),
                "pullPolicy": Value("IfNotPresent", "when it is pulled", words("Always", "IfNotPresent", "Never")),
            },
        ),
        "imagePullSecrets": Value(
            [], "Secrets of the registry: a list of {name}", {"type": "array", "items": record({"name": TEXT})}
        ),
        "logLevel": Value("INFO", "least level of lines in logs", words("DEBUG", "INFO", "WARNING", "ERROR")),
        "tmpSizeLimit": Value(
            "64Mi", "most that a pod may write to /tmp, the one folder that it can write to", QUANTITY
        ),
        "ports": Values(
            "what containers listen on",
            {
                "host": Value("0.0.0.0", "address that they listen on; `[::]` where pods have IPv6", TEXT),  # noqa: S104 - in a pod
                "grpc": Value(7000, "gRPC of pricing and messaging", PORT),
                "http": Value(8080, "HTTP of the gateway", PORT),
                "probes": Value(8081, "probes, in plain HTTP", PORT),
                "metrics": Value(9090, "metrics, in plain HTTP", PORT),
            },
        ),
        "tls": Values(
            "TLS between the components",
            {
                "mode": Value(
                    "mutual",
                    "`mutual`: both sides show certificates, which say who they are; `server`: callers show tokens; "
                    "`proxy`: a mesh protects the network, and callers show tokens",
                    words("mutual", "server", "proxy"),
                )
            },
        ),
        "access": ACCESS,
        "database": DATABASE,
        "pricing": PRICING,
        "messaging": MESSAGING,
        "gateway": GATEWAY,
        "migrate": MIGRATE,
        "tracing": Values(
            "traces",
            {
                "otlpEndpoint": Value(
                    "",
                    "URL that spans are posted to, OTLP over HTTP; empty for no tracing",
                    matching("^(https?://.+)?$"),
                ),
                "sampleRatio": Value(
                    0, "share of requests that are traced, from 0 to 1", {"type": "number", "minimum": 0, "maximum": 1}
                ),
            },
        ),
        "networkPolicy": NETWORK_POLICY,
        "monitoring": MONITORING,
        "certManager": CERT_MANAGER,
        "externalSecrets": EXTERNAL_SECRETS,
        "pgbouncer": PGBOUNCER,
        "cnpg": CNPG,
    },
)
