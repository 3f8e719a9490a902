"""Credentials in requests, as RFC 6750 has them, and the refusals of requests without a good one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from gateway_http.shared import reasons
from gateway_http.shared.problem import ProblemError

MAX_CREDENTIAL: Final = 16_384
"""Characters. A token with hundreds of claims is shorter, and verifying takes time by the length."""

_HEADER: Final = b"authorization"
_SCHEME: Final = b"Bearer "
_CHALLENGE: Final = 'Bearer realm="tukupay-sms"'
_CREDENTIAL: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """What a request shows behind `Authorization: Bearer`, which may still be anything; None when it shows nothing.

    Raises ProblemError when there is more than one.
    """
    found: bytes | None = None
    for name, value in headers:
        if name == _HEADER:
            if found is not None:
                raise not_valid("the header Authorization is given more than once; give it once")
            found = value
    if found is None:
        return None
    if found.startswith(_SCHEME):
        return found[len(_SCHEME) :]
    scheme, _, credential = found.partition(b" ")
    # Names of schemes have no case (RFC 9110 §11.1).
    return credential if scheme.lower() == b"bearer" else None


def text_of(credential: bytes) -> str:
    """The credential as text. Raises ProblemError for what can be neither a key nor a token."""
    if len(credential) > MAX_CREDENTIAL or not _CREDENTIAL.fullmatch(credential):
        raise not_valid("the credential is malformed; give an API key or a token as it was issued")
    return credential.decode("ascii")


class MissingCredentialError(ProblemError):
    """The refusal of a request that shows no credential: it is no guess at one."""


def missing() -> MissingCredentialError:
    """The refusal of a request that shows no credential."""
    return MissingCredentialError(
        reasons.UNAUTHENTICATED,
        "this needs a credential; send the header Authorization: Bearer with an API key or a token",
        headers={"WWW-Authenticate": _CHALLENGE},
    )


def not_valid(detail: str) -> ProblemError:
    """The refusal of a request whose credential is not valid; `detail` names no part of it."""
    return ProblemError(
        reasons.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'}
    )
