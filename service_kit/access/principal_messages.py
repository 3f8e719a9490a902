"""Principals on the wire, from those who checked a credential to those who act on it."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from service_kit.access.principal import AccessMode, Principal, PrincipalKind
from tukupay.sms.common.v1 import access_pb2

METADATA_KEY: Final = "x-sms-principal-bin"
"""Of gRPC metadata: the caller for whom a call is made, as a `tukupay.sms.common.v1.Principal`."""

_KINDS: Final[dict[PrincipalKind, access_pb2.PrincipalKind.ValueType]] = {
    PrincipalKind.API_KEY: access_pb2.PRINCIPAL_KIND_API_KEY,
    PrincipalKind.OIDC: access_pb2.PRINCIPAL_KIND_OIDC,
    PrincipalKind.WORKLOAD: access_pb2.PRINCIPAL_KIND_WORKLOAD,
    PrincipalKind.OPERATOR: access_pb2.PRINCIPAL_KIND_OPERATOR,
    PrincipalKind.OPEN: access_pb2.PRINCIPAL_KIND_OPEN,
}
_KIND_OF: Final = {value: kind for kind, value in _KINDS.items()}
_MODES: Final[dict[AccessMode, access_pb2.AccessMode.ValueType]] = {
    AccessMode.LIVE: access_pb2.ACCESS_MODE_LIVE,
    AccessMode.TEST: access_pb2.ACCESS_MODE_TEST,
}
_MODE_OF: Final = {value: mode for mode, value in _MODES.items()}


def from_principal(principal: Principal) -> access_pb2.Principal:
    """The wire form of a principal."""
    return access_pb2.Principal(
        id=principal.id,
        kind=_KINDS[principal.kind],
        accounts=sorted(principal.accounts or ()),
        all_accounts=principal.accounts is None,
        app_id=principal.app_id,
        scopes=sorted(principal.scopes),
        mode=_MODES[principal.mode],
    )


def to_principal(message: access_pb2.Principal) -> Principal:
    """The principal that a message is. Raises ValueError for one without an id, a kind or a mode."""
    if not message.id or message.kind not in _KIND_OF or message.mode not in _MODE_OF:
        raise ValueError("has no id, kind or mode")
    if message.all_accounts and message.accounts:
        raise ValueError("names accounts beside all of them")
    return Principal(
        id=message.id,
        kind=_KIND_OF[message.kind],
        accounts=None if message.all_accounts else frozenset(message.accounts),
        scopes=frozenset(message.scopes),
        app_id=message.app_id if message.HasField("app_id") else None,
        mode=_MODE_OF[message.mode],
    )


def decode(data: bytes) -> Principal:
    """The principal in the metadata of a call. Raises ValueError when it is none."""
    message = access_pb2.Principal()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise ValueError("is not a principal") from None
    return to_principal(message)
