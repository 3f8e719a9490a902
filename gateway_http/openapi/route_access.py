"""Who may use a route: what the rules say of the gRPC methods that it calls, which stand beside them in the protos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from service_kit.access.method_rules import MethodRule, RulesError, Tenancy, rule_of
from tukupay.sms.common.v1 import audit_pb2
from tukupay.sms.messaging.v1 import (
    access_pb2,
    accounts_pb2,
    alerts_pb2,
    channels_pb2,
    events_pb2,
    feedback_pb2,
    messaging_pb2,
    privacy_pb2,
    reports_pb2,
    suppressions_pb2,
    webhooks_pb2,
)
from tukupay.sms.pricing.v1 import pricing_pb2

_FILES: Final = (
    access_pb2,
    accounts_pb2,
    alerts_pb2,
    audit_pb2,
    channels_pb2,
    events_pb2,
    feedback_pb2,
    messaging_pb2,
    privacy_pb2,
    reports_pb2,
    suppressions_pb2,
    webhooks_pb2,
    pricing_pb2,
)
_SERVICES: Final[dict[str, ServiceDescriptor]] = {
    service.name: service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()
}


@dataclass(frozen=True, slots=True)
class RouteAccess:
    """The rules of a route. One without any is public."""

    rules: Mapping[str, MethodRule]
    """By the full name of the request that a method takes: each method has a request of its own."""
    scopes: tuple[str, ...]
    """What a caller needs, in the order of the methods; empty for a public route."""

    methods: tuple[str, ...] = ()
    """What it calls, as `Service/Method`."""
    is_for_all_accounts: bool = False
    """Whether only callers that may act for all accounts may use it."""

    @property
    def is_public(self) -> bool:
        """Whether anybody may use it, without a credential."""
        return not self.rules

    def rule_of(self, question: Message) -> MethodRule:
        """The rule of the method that takes this request. Raises RulesError when the route does not declare it."""
        rule = self.rules.get(question.DESCRIPTOR.full_name)
        if rule is None:
            raise RulesError(f"a route asks with {question.DESCRIPTOR.name}, and declares no method that takes it")
        return rule


PUBLIC: Final = RouteAccess({}, ())
"""Of probes and documentation: they show no account's data, and call no method that has a rule."""


def calls(*methods: str) -> RouteAccess:
    """The rules of a route that calls these gRPC methods, each given as `Service/Method`.

    Raises RulesError for a method that does not exist, or has no rule.
    """
    rules: dict[str, MethodRule] = {}
    for name in methods:
        service, _, method = name.partition("/")
        found = _SERVICES[service].methods_by_name.get(method) if service in _SERVICES else None
        if found is None:
            raise RulesError(f"{name} is no method")
        rules[found.input_type.full_name] = rule_of(found)
    if not rules:
        raise RulesError("a route that calls nothing is declared PUBLIC")
    return RouteAccess(
        rules,
        tuple(dict.fromkeys(rule.scope for rule in rules.values())),
        methods=methods,
        is_for_all_accounts=any(rule.tenancy is Tenancy.ALL_ACCOUNTS for rule in rules.values()),
    )
