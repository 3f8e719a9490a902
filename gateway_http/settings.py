"""Settings of the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway_http.callbacks.callback_gate import callback_secrets
from gateway_http.gateway_tls import HttpTls, ServicesTls
from gateway_http.gateway_tracing import GatewayTracing
from service_kit.access.own_token import service_token
from service_kit.settings import (
    Address,
    Network,
    SettingsError,
    address,
    choice,
    group,
    integer,
    networks,
    seconds,
    setting,
    target,
)
from service_kit.tls.tls_settings import calling_problems, listening_problems
from service_kit.web import probe_listener

OPEN: Final = "open"
REQUIRED: Final = "required"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway reads from the environment."""

    http_address: Address = setting(
        "GATEWAY_HTTP_ADDRESS",
        "host:port that serves REST; with GATEWAY_ACCESS=required and TLS also where other machines reach it",
        parse=address,
        default=Address("127.0.0.1", 8080),
    )
    metrics_address: Address | None = setting(
        "GATEWAY_METRICS_ADDRESS",
        "host:port that serves /metrics to Prometheus, apart from all else, in plaintext; unset for none",
        parse=address,
        default=None,
        guide="guides/metrics.md",
    )
    probes_address: Address | None = setting(
        "GATEWAY_PROBES_ADDRESS", probe_listener.MEANING, parse=address, default=None, guide=probe_listener.GUIDE
    )
    access: str = setting(
        "GATEWAY_ACCESS",
        "whether callers need a credential: required, or open, which is for a developer's machine and only on "
        "loopback addresses",
        parse=choice(OPEN, REQUIRED),
        default=OPEN,
        guide="guides/access.md",
    )
    service_token: str | None = setting(
        "GATEWAY_SERVICE_TOKEN",
        "token by which the services know the gateway; needed where they require access and it shows no certificate; "
        "its file is read anew when it changes",
        parse=service_token,
        default=None,
        secret=True,
        guide="guides/access.md",
    )
    issuers_file: Path | None = setting(
        "GATEWAY_ISSUERS_FILE",
        "TOML file of the identity providers whose tokens are taken; looked at every 10 s; unset for none",
        parse=Path,
        default=None,
        guide="guides/access.md",
    )
    bad_credentials_per_minute: int = setting(
        "GATEWAY_BAD_CREDENTIALS_PER_MINUTE",
        "most requests in a minute from one address with a credential that is not valid; more are turned away with 429",
        parse=integer(1, 1_000_000),
        default=60,
    )
    pricing_address: Address = setting(
        "GATEWAY_PRICING_ADDRESS",
        "host:port of the pricing service, or dns:///name:port; calls go to all addresses of a name in turn",
        parse=target,
        default=Address("127.0.0.1", 50051),
    )
    messaging_address: Address = setting(
        "GATEWAY_MESSAGING_ADDRESS",
        "host:port of the messaging service, or dns:///name:port; calls go to all addresses of a name in turn",
        parse=target,
        default=Address("127.0.0.1", 50052),
    )
    outcome_wait_s: float = setting(
        "GATEWAY_OUTCOME_WAIT_S",
        "seconds that a send waits for the carrier's answer before it comes back pending",
        parse=seconds(0, 60),
        default=5.0,
    )
    send_deadline_s: float = setting(
        "GATEWAY_SEND_DEADLINE_S",
        "seconds that a send waits for the messaging service in all; more than the outcome wait",
        parse=seconds(1, 120),
        default=30.0,
    )
    batch_spacing_ms: int = setting(
        "GATEWAY_BATCH_SPACING_MS",
        "least milliseconds between two batches of sends while one is under way",
        parse=integer(0, 1_000),
        default=5,
    )
    batch_max_items: int = setting(
        "GATEWAY_BATCH_MAX_ITEMS",
        "most sends in a batch",
        parse=integer(1, 1_000),
        default=256,
    )
    max_outstanding_sends: int = setting(
        "GATEWAY_MAX_OUTSTANDING_SENDS",
        "most sends waiting for an answer at once; more are turned away with 429",
        parse=integer(1, 1_000_000),
        default=8_192,
    )
    max_batches: int = setting(
        "GATEWAY_MAX_BATCHES",
        "most requests to send a batch that are served at once, of at most 8 MiB each; more are turned "
        "away with 429. A usual one takes 3 MB of memory while it is served, the largest 30 MB",
        parse=integer(1, 1_000),
        default=4,
    )
    max_connections: int = setting(
        "GATEWAY_MAX_CONNECTIONS",
        "most HTTP connections at once, and no more than the process may open files (less 128); beyond "
        "them the one idle longest is closed, and when none is idle the new one gets 503",
        parse=integer(1, 1_000_000),
        default=4_096,
    )
    africastalking_secrets: tuple[tuple[str, str], ...] = setting(
        "GATEWAY_AFRICASTALKING_SECRETS",
        "carrier=secret, with commas between: who may post under /carriers/africastalking/{secret}; none when unset",
        parse=callback_secrets,
        default=(),
        secret=True,
        guide="guides/africas-talking.md",
    )
    africastalking_allow: tuple[Network, ...] = setting(
        "GATEWAY_AFRICASTALKING_ALLOW",
        "addresses and networks that Africa's Talking posts from, with commas between",
        parse=networks,
        default=(),
        default_text="this machine",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "GATEWAY_TRUSTED_PROXIES",
        "addresses and networks of proxies whose X-Forwarded-For is believed",
        parse=networks,
        default=(),
    )
    drain_s: float = setting(
        "GATEWAY_DRAIN_S",
        "seconds that running requests may take to end after SIGTERM",
        parse=seconds(0, 300),
        default=20.0,
    )
    pre_drain_s: float = setting(
        "GATEWAY_PRE_DRAIN_S",
        "seconds after SIGTERM for which requests are still taken while readiness says no and each answer ends its "
        "connection, so that a load balancer goes to other replicas first",
        parse=seconds(0, 60),
        default=0.0,
        guide=probe_listener.GUIDE,
    )

    tls: HttpTls = group(HttpTls, default=HttpTls())
    services_tls: ServicesTls = group(ServicesTls, default=ServicesTls())
    tracing: GatewayTracing = group(GatewayTracing, default=GatewayTracing())

    @classmethod
    def cross_check(cls, values: Mapping[str, Any]) -> list[str]:
        """What would leave its listener, or its calls to the services, without protection, or would mean nothing."""
        prefix, tls = "GATEWAY_SERVICES", values["services_tls"]
        return [
            *listening_problems(
                "GATEWAY",
                "GATEWAY_HTTP_ADDRESS",
                values.get("http_address"),
                authenticates=values.get("access") == REQUIRED,
                tls=values["tls"],
            ),
            *calling_problems(prefix, "GATEWAY_PRICING_ADDRESS", values.get("pricing_address"), tls),
            *calling_problems(prefix, "GATEWAY_MESSAGING_ADDRESS", values.get("messaging_address"), tls),
            *(
                ["GATEWAY_ACCESS: is open, so GATEWAY_ISSUERS_FILE would mean nothing; set it to required"]
                if "issuers_file" in values and values.get("access") != REQUIRED
                else []
            ),
        ]

    def __post_init__(self) -> None:
        if self.send_deadline_s <= self.outcome_wait_s:
            raise SettingsError(
                f"GATEWAY_SEND_DEADLINE_S ({self.send_deadline_s:g} s) must be more than GATEWAY_OUTCOME_WAIT_S "
                f"({self.outcome_wait_s:g} s), or every slow carrier looks like a failure"
            )
