"""Callers as the gateway names them to the services, which believe it: a credential is checked once, here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from service_kit.access.principal import Principal
from service_kit.access.principal_messages import METADATA_KEY, from_principal
from tukupay.sms.common.v1 import access_pb2

_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Caller:
    """A principal with its wire forms, made once for as long as it calls."""

    principal: Principal
    message: access_pb2.Principal
    """For `principals` of a batch. Never changed."""
    metadata: tuple[tuple[str, str | bytes], ...]
    """For any other call."""


@lru_cache(_KEPT)
def asserted(principal: Principal) -> Caller:
    """The caller that a principal is: the same object each time, while it is among the last 10,000."""
    message = from_principal(principal)
    return Caller(principal, message, ((METADATA_KEY, message.SerializeToString(deterministic=True)),))
