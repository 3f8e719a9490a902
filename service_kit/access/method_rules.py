"""The rules of access that stand beside the methods in the protos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from service_kit.access.scopes import SCOPES
from tukupay.sms.common.v1 import access_pb2


class Tenancy(Enum):
    """How a call is kept to the accounts that its caller may act for."""

    ACCOUNT_FIELD = "account_field"
    """A field of the request names the account."""
    OWNED_ID = "owned_id_field"
    """A field of the request has the id of what belongs to an account; the statement that reads it checks that."""
    ITEMS = "items_field"
    """Each item of a field names an account, and is checked by itself."""
    ALL_ACCOUNTS = "all_accounts"
    """Only for callers that may act for all accounts."""
    NO_ACCOUNT = "no_account"
    """The answer holds no account's data."""


class RulesError(Exception):
    """A method without a rule, or with one that means nothing. The service must not start."""


@dataclass(frozen=True, slots=True)
class MethodRule:
    """Who may call a method."""

    scope: str
    tenancy: Tenancy
    field: str = ""
    """The field of ACCOUNT_FIELD, OWNED_ID and ITEMS; empty for the others."""
    is_optional: bool = False
    """Whether the field of ACCOUNT_FIELD may be absent, which only callers for all accounts may do."""
    is_endless: bool = False
    """Whether a call goes on until its caller leaves, so that its credential must be checked again."""


def rules_of(services: Iterable[ServiceDescriptor]) -> Mapping[str, MethodRule]:
    """The rule of every method, by its full name as calls have it: `/package.Service/Method`.

    Raises RulesError that names every method without a rule that holds.
    """
    rules: dict[str, MethodRule] = {}
    faults: list[str] = []
    for service in services:
        for method in service.methods:
            name = f"/{service.full_name}/{method.name}"
            try:
                rules[name] = rule_of(method)
            except RulesError as error:
                faults.append(f"{name}: {error}")
    if faults:
        raise RulesError("methods without a rule of access:\n  " + "\n  ".join(faults))
    return rules


def rule_of(method: MethodDescriptor) -> MethodRule:
    """The rule of one method. Raises RulesError."""
    option = method.GetOptions().Extensions[access_pb2.access]
    kind = option.WhichOneof("tenancy")
    if kind is None:
        raise RulesError("has no rule; give it the option `access`")
    if option.scope not in SCOPES:
        raise RulesError(f"{option.scope!r} is no scope")
    tenancy = Tenancy(kind)
    if tenancy in {Tenancy.ALL_ACCOUNTS, Tenancy.NO_ACCOUNT}:
        return MethodRule(option.scope, tenancy, is_endless=option.endless)
    field = method.input_type.fields_by_name.get(getattr(option, kind))
    if field is None:
        raise RulesError(f"its request has no field {getattr(option, kind)!r}")
    return MethodRule(option.scope, tenancy, field.name, is_optional=field.has_presence, is_endless=option.endless)
