"""Values of the database: the server, what migrates, and what may stand before it or be made for it."""

from __future__ import annotations

from typing import Final

from deploy.tools.component_values import NAME, placement, resources, service_account
from deploy.tools.values_model import (
    ANY_LIST,
    ANY_MAP,
    FLAG,
    LABELS,
    PORT,
    QUANTITY,
    TEXT,
    TEXTS,
    Value,
    Values,
    matching,
    nullable,
    number,
    words,
)

DATABASE: Final = Values(
    "the PostgreSQL server of both services; its users and passwords are in Secrets",
    {
        "hosts": Value(["postgres.database.example"], "hosts; of several, the one that takes writes is used", TEXTS),
        "port": Value(5432, "port of all of them", PORT),
        "names": Values(
            "names of the databases, for PgBouncer and CloudNativePG",
            {
                "pricing": Value("pricing", "that of pricing", TEXT),
                "messaging": Value("messaging", "that of messaging", TEXT),
            },
        ),
        "tls": Values(
            "TLS to the server",
            {
                "mode": Value(
                    "verify-full",
                    "`verify-full`, or `proxy` where the network to the server is protected otherwise",
                    words("verify-full", "proxy"),
                ),
                "existingSecret": Value(
                    "",
                    "Secret with the authority of the server's certificate; empty for `<fullname>-database-ca`",
                    NAME,
                ),
                "existingConfigMap": Value("", "ConfigMap with it, in place of the Secret", NAME),
                "key": Value("ca.crt", "key of it", TEXT),
            },
        ),
    },
)
MIGRATE: Final = Values(
    "what brings the databases to the schema of the release",
    {
        "mode": Value(
            "job",
            "`job`: a Job a service, while the services wait; `initContainer`: each pod before it starts; `external`: "
            "somebody else runs `python -m pricing_service.migrate` and `python -m messaging_service.migrate`",
            words("job", "initContainer", "external"),
        ),
        "backoffLimit": Value(20, "tries of a Job; a migration that was broken off can be run again", number(0, 1000)),
        "activeDeadlineSeconds": Value(
            None, "seconds that a Job may take; null for any time", nullable(number(1, 604_800))
        ),
        "ttlSecondsAfterFinished": Value(
            None,
            "seconds for which a finished Job is kept; null for until the next release",
            nullable(number(0, 31_536_000)),
        ),
        "resources": resources("50m", "128Mi", "1", "512Mi"),
        "annotations": Value({}, "annotations of the Jobs", LABELS),
        "podAnnotations": Value({}, "annotations of their pods", LABELS),
        **{key: value for key, value in placement().items() if key != "topologySpread"},
        "serviceAccount": service_account(),
    },
)
PGBOUNCER: Final = Values(
    "PgBouncer between the services and `database.hosts`",
    {
        "enabled": Value(False, "whether there is one", FLAG),
        "image": Values(
            "its image, with PgBouncer 1.21 or newer",
            {
                "repository": Value("pgbouncer", "where it is", TEXT),
                "tag": Value("1.24.1", "its tag", TEXT),
                "digest": Value("", "its digest, in place of the tag", matching("^(sha256:[0-9a-f]{64})?$")),
            },
        ),
        "replicas": Value(2, "pods", number(1, 100)),
        "port": Value(6432, "port that it listens on", PORT),
        "defaultPoolSize": Value(40, "connections to the server of a pod, for each database", number(1, 10_000)),
        "maxClientConnections": Value(1000, "most connections to a pod", number(1, 100_000)),
        "usersSecret": Value("", "Secret with userlist.txt; empty for `<fullname>-pgbouncer-users`", NAME),
        "terminationGracePeriodSeconds": Value(40, "seconds until a pod is killed", number(10, 600)),
        "resources": resources("100m", "64Mi", "1", "128Mi"),
        **placement(),
        "tls": Values(
            "its certificate for the services, which `database.tls` has to know the authority of",
            {
                "existingSecret": Value(
                    "", "Secret with tls.crt and tls.key; empty for `<fullname>-pgbouncer-tls`", NAME
                )
            },
        ),
    },
)
CNPG: Final = Values(
    "a CloudNativePG Cluster with both databases, in place of `database.hosts`",
    {
        "enabled": Value(False, "whether there is one", FLAG),
        "instances": Value(
            3,
            "instances; one more than synchronousReplicas at least, or nothing is written while one is away",
            number(1, 20),
        ),
        "imageName": Value("", "image of PostgreSQL; empty for that of the operator", TEXT),
        "synchronousReplicas": Value(1, "standbys that have each commit before it is acknowledged", number(1, 10)),
        "failoverQuorum": Value(
            True,
            "whether only a standby that is proven to have every commit is promoted; CloudNativePG 1.27 or newer",
            FLAG,
        ),
        "parameters": Value(
            {"max_connections": "200"},
            "parameters of PostgreSQL",
            {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        ),
        "storage": Values(
            "the volume of an instance",
            {
                "size": Value("50Gi", "its size", QUANTITY),
                "storageClass": Value("", "its class; empty for the default", TEXT),
            },
        ),
        "walStorage": Values(
            "another volume for the log",
            {"size": Value("10Gi", "its size; empty for none", TEXT), "storageClass": Value("", "its class", TEXT)},
        ),
        "resources": resources("1", "2Gi", "4", "4Gi"),
        "topologyKey": Value("kubernetes.io/hostname", "what two instances never share", TEXT),
        "messagingOwner": Value("messaging_owner", "role that owns the tables of messaging", TEXT),
        "pricingOwner": Value("pricing_owner", "role that owns the tables of pricing", TEXT),
        "backup": Value({}, "backup, as CloudNativePG has it", ANY_MAP),
        "plugins": Value([], "plugins, as CloudNativePG has them, such as that of Barman Cloud", ANY_LIST),
        "pooler": Values(
            "a Pooler of CloudNativePG between the services and the Cluster",
            {
                "enabled": Value(False, "whether there is one", FLAG),
                "instances": Value(2, "pods", number(1, 100)),
                "defaultPoolSize": Value(
                    40, "connections to the server of a pod, for each database and user", number(1, 10_000)
                ),
                "maxClientConnections": Value(1000, "most connections to a pod", number(1, 100_000)),
            },
        ),
    },
)
