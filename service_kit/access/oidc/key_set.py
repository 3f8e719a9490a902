"""The keys that an issuer publishes, as far as they can verify a token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from service_kit.access.oidc.issuer import ALGORITHMS

MIN_RSA_BITS: Final = 2048
MAX_KEYS: Final = 100

KeySet = Mapping[str, Mapping[str, jwt.PyJWK]]
"""By `kid`, then by algorithm: each key is bound to the algorithms that the issuers file allows."""


class KeySetError(Exception):
    """What an issuer published is no set of keys that can be used."""


def read_key_set(document: bytes, algorithms: Sequence[str]) -> KeySet:
    """The keys of a JWKS that can verify a token by one of the algorithms.

    Left out are keys without a `kid`, for encryption, of other types, weak ones, shared secrets, and private keys that
    somebody published by mistake. Raises KeySetError when none is left.
    """
    try:
        keys = json.loads(document)["keys"]
    except (ValueError, RecursionError, TypeError, LookupError):
        raise KeySetError("is not a JWKS") from None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise KeySetError(f"is not a list of at most {MAX_KEYS} keys")
    found: dict[str, dict[str, jwt.PyJWK]] = {}
    for key in keys:
        if not _is_for_signatures(key):
            continue
        kid = key["kid"]
        if kid in found:
            raise KeySetError("has two keys with the same kid")
        bound = {name: made for name in algorithms if (made := _bound(key, name)) is not None}
        if bound:
            found[kid] = bound
    if not found:
        raise KeySetError("has no key that fits the algorithms of the issuers file")
    return found


def _is_for_signatures(key: object) -> bool:
    if not isinstance(key, dict) or not isinstance(key.get("kid"), str) or not key["kid"] or "d" in key:
        return False
    operations = key.get("key_ops", ["verify"])
    return key.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _bound(key: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    """A key for one algorithm; None when it is not for that."""
    kind, curve = ALGORITHMS[algorithm]
    if key.get("kty") != kind or key.get("alg", algorithm) != algorithm or (curve and key.get("crv") != curve):
        return None
    try:
        made = jwt.PyJWK(key, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(made.key, RSAPublicKey) and made.key.key_size < MIN_RSA_BITS:
        return None
    return made
