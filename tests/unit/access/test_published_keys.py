"""Which of the keys that an issuer publishes are used."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from service_kit.access.oidc.key_set import KeySetError, read_key_set
from tests.doubles.token_issuer import new_key, to_jwk

EC = new_key("ES256")


def published(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def test_keys_are_bound_to_the_algorithms_of_the_file() -> None:
    unbound = to_jwk("b", "RS256", new_key("RS256"))
    del unbound["alg"]
    found = read_key_set(published(to_jwk("a", "ES256", EC), unbound), ["RS256", "PS256", "ES256"])
    assert {kid: sorted(bound) for kid, bound in found.items()} == {"a": ["ES256"], "b": ["PS256", "RS256"]}


@pytest.mark.parametrize(
    "key",
    [
        to_jwk("a", "ES256", EC, use="enc"),
        to_jwk("", "ES256", EC),
        to_jwk("a", "ES384", new_key("ES384")),
        to_jwk("a", "ES256", EC, crv="P-384"),
        to_jwk("a", "ES256", EC, x="AA"),
        {**to_jwk("a", "ES256", EC), "key_ops": ["sign"]},
        {**jwt.get_algorithm_by_name("ES256").to_jwk(EC, as_dict=True), "kid": "a"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "ES256"},
        to_jwk("a", "RS256", rsa.generate_private_key(65537, 1024)),
        {"kid": "a"},
        "a",
        None,
    ],
)
def test_what_cannot_verify_a_token_is_left_out(key: Any) -> None:
    with pytest.raises(KeySetError, match="no key that fits"):
        read_key_set(published(key), ["ES256", "RS256"])
    assert set(read_key_set(published(key, to_jwk("good", "ES256", EC)), ["ES256", "RS256"])) == {"good"}


@pytest.mark.parametrize("document", [b"", b"<html>", b"[]", b"{}", b'{"keys": 1}', b"[" * 100_000, b"\xff\xfe", b"7"])
def test_garbage_is_no_key_set(document: bytes) -> None:
    with pytest.raises(KeySetError):
        read_key_set(document, ["ES256"])


def test_two_keys_of_one_kid_are_no_key_set() -> None:
    with pytest.raises(KeySetError, match="same kid"):
        read_key_set(published(to_jwk("a", "ES256", EC), to_jwk("a", "ES256", new_key("ES256"))), ["ES256"])
