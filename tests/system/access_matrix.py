"""What each method must answer to each kind of caller, from the rules beside the methods alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from service_kit.access.method_rules import MethodRule, Tenancy, rule_of
from service_kit.access.scopes import SCOPES, SELDOM

MINE: Final = "mine"
"""The account that requests are about."""
OTHER: Final = "other"


class Caller(Enum):
    """Who calls."""

    NOBODY = auto()
    """Without a credential."""
    GARBAGE = auto()
    """With something that never was one."""
    EXPIRED = auto()
    REVOKED = auto()
    WRONG_SCOPE = auto()
    """For all accounts, with every scope but the one that the method needs."""
    OTHER_ACCOUNT = auto()
    """For OTHER, with all scopes."""
    PROGRAM = auto()
    """A program of the platform, with the scopes that only these have."""
    RIGHT = auto()
    """For MINE, with all scopes."""
    OPERATOR = auto()
    """For all accounts, with all scopes."""


class Verdict(Enum):
    """What the caller gets to know."""

    UNAUTHENTICATED = auto()
    DENIED = auto()
    HIDDEN = auto()
    """Exactly what it would for an id that nobody has."""
    ITEMS_DENIED = auto()
    """The call goes on, and each item is denied."""
    ALLOWED = auto()
    """Whatever the method says of the request itself."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service."""

    name: str
    """As calls have it: `/package.Service/Method`."""
    descriptor: MethodDescriptor
    rule: MethodRule

    def request(self, fields: Mapping[str, Any]) -> Message:
        """A request about MINE."""
        request = GetMessageClass(self.descriptor.input_type)(**fields)
        if self.rule.tenancy is Tenancy.ACCOUNT_FIELD:
            setattr(request, self.rule.field, MINE)
        return request

    @property
    def other_scopes(self) -> list[str]:
        """All scopes but the one that it needs."""
        return sorted(SCOPES.keys() - {self.rule.scope} - SELDOM)


def methods(*services: ServiceDescriptor) -> Iterator[Method]:
    """Every method of some services, with its rule."""
    for service in services:
        for descriptor in service.methods:
            yield Method(f"/{service.full_name}/{descriptor.name}", descriptor, rule_of(descriptor))


def verdict(rule: MethodRule, caller: Caller) -> Verdict:
    """What a caller must get to know of a request about MINE."""
    if caller in _NO_CREDENTIAL:
        return Verdict.UNAUTHENTICATED
    is_seldom = rule.scope in SELDOM
    if caller is Caller.PROGRAM:
        found = Verdict.ALLOWED if is_seldom else _OF_PROGRAMS.get(rule.tenancy, Verdict.DENIED)
    elif is_seldom or caller is Caller.WRONG_SCOPE:
        found = Verdict.DENIED
    elif caller is Caller.OPERATOR:
        found = Verdict.ALLOWED
    else:
        found = (_FOREIGN if caller is Caller.OTHER_ACCOUNT else _OWN).get(rule.tenancy, Verdict.ALLOWED)
    return found


_NO_CREDENTIAL: Final = {Caller.NOBODY, Caller.GARBAGE, Caller.EXPIRED, Caller.REVOKED}
_OF_PROGRAMS: Final = {Tenancy.ITEMS: Verdict.ITEMS_DENIED}
_OWN: Final = {Tenancy.ALL_ACCOUNTS: Verdict.DENIED}
_FOREIGN: Final = {
    **_OWN,
    Tenancy.ACCOUNT_FIELD: Verdict.DENIED,
    Tenancy.OWNED_ID: Verdict.HIDDEN,
    Tenancy.ITEMS: Verdict.ITEMS_DENIED,
}
