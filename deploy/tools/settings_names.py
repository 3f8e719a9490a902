"""Which settings of the services the values of the chart take by their own names, and which it sets itself."""

from __future__ import annotations

import re
from typing import Final

from deploy.tools.values_model import TEXT, Schema, record
from gateway_http.settings import GatewaySettings
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from pricing_service.settings import PricingSettings
from service_kit.settings import declared

CLASSES: Final[dict[str, type]] = {
    "pricing": PricingSettings,
    "messaging": MessagingSettings,
    "gateway": GatewaySettings,
}
_BY_THE_CHART: Final = re.compile(
    r"(PRICING|MESSAGING|GATEWAY)_("
    r"(GRPC|HTTP|METRICS|PROBES|PRICING|MESSAGING)_ADDRESS|(PRE_)?DRAIN_S|ACCESS|IDENTITIES_FILE|ISSUERS_FILE|SERVICE_TOKEN|TRACING_OTLP_ENDPOINT|TRACING_SAMPLE_RATIO"
    r"|DATABASE_URL|DATABASE_DIRECT_URL|DATABASE_TLS|CARRIERS_FILE"
    r"|(PRICING_|SERVICES_)?TLS|(PRICING_|SERVICES_)?TLS_(CERT|KEY|CA|CLIENT_CA)_FILE"
    r")|SMPP_(HOST|PORT|SYSTEM_ID|PASSWORD|NAME|BINDS|MAX_BINDS)"
)
"""Other values of the chart decide on these."""


def settings_schema(component: str) -> Schema:
    """The settings that are no secret."""
    names = [
        each.env
        for each in declared(CLASSES[component])
        if not each.is_secret and not each.env.endswith("_FILE") and not _BY_THE_CHART.fullmatch(each.env)
    ]
    value = {"type": ["string", "number", "boolean"]}
    return {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(sorted(names), value)}


def secrets_schema(component: str) -> Schema:
    """The secrets, and the settings that name a file with keys."""
    names = [
        each.env
        for each in declared(CLASSES[component])
        if (each.is_secret or each.env.endswith("_FILE")) and not _BY_THE_CHART.fullmatch(each.env)
    ]
    source = record({"secret": TEXT, "key": TEXT})
    return {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(sorted(names), source)}
