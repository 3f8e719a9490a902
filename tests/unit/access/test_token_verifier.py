"""A token is believed only when everything about it is as the issuers file says."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service_kit.access.oidc.issuer import ALGORITHMS, Grant, Issuer
from service_kit.access.oidc.verified_tokens import VerifiedTokens
from service_kit.access.oidc.verifier import MAX_TOKEN, TokenVerifier
from service_kit.access.principal import Principal, PrincipalKind
from service_kit.errors import Kind, ServiceError
from tests.doubles.token_issuer import AUDIENCE, ISSUER, NOW, TokenIssuer, claims, new_key, public_pem, unsigned

TRUSTED = Issuer("staff", ISSUER, (AUDIENCE,), "https://id.example.com/certs", ("ES256",), scopes_claim=("scope",))


ANY = TokenIssuer()


class Clock:
    def __init__(self) -> None:
        self.now = NOW
        self.monotonic = 1_000.0

    def pass_s(self, seconds: float) -> None:
        self.now += seconds
        self.monotonic += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer()


def verifier_of(issuer: TokenIssuer, clock: Clock, *trusted: Issuer) -> TokenVerifier:
    return TokenVerifier(
        trusted or [TRUSTED], fetch=issuer.fetch, now=lambda: clock.now, monotonic=lambda: clock.monotonic
    )


@pytest.fixture
def verifier(issuer: TokenIssuer, clock: Clock) -> TokenVerifier:
    return verifier_of(issuer, clock)


async def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(ServiceError) as raised:
        await verifier.verify(token)
    assert raised.value.kind is Kind.UNAUTHENTICATED
    assert raised.value.reason == "UNAUTHENTICATED"
    assert not token or token not in str(raised.value)
    return raised.value.message


async def test_a_good_token_names_its_caller(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    principal = await verifier.verify(issuer.token())
    assert principal == Principal("staff:alice", PrincipalKind.OIDC, frozenset(), frozenset({"sms:send"}))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_every_algorithm_of_the_file_serves(algorithm: str, clock: Clock) -> None:
    issuer = TokenIssuer(algorithm)
    verifier = verifier_of(issuer, clock, dataclasses.replace(TRUSTED, algorithms=(algorithm,)))
    assert (await verifier.verify(issuer.token())).id == "staff:alice"


async def test_a_token_without_a_signature_is_refused(verifier: TokenVerifier) -> None:
    for name in ("none", "None", "NONE", "nOnE", ""):
        assert "algorithm" in await refusal(verifier, unsigned({"alg": name, "kid": "k1"}, claims()))
    assert "algorithm" in await refusal(verifier, unsigned({"kid": "k1"}, claims()))
    assert "signature" in await refusal(verifier, unsigned({"alg": "ES256", "kid": "k1"}, claims()))


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(clock: Clock) -> None:
    issuer = TokenIssuer("RS256")
    verifier = verifier_of(issuer, clock, dataclasses.replace(TRUSTED, algorithms=("RS256",)))
    head, body, _ = unsigned({"alg": "HS256", "kid": "k1"}, claims()).split(".")
    secret = public_pem(issuer.keys["k1"])
    signature = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert "algorithm" in await refusal(verifier, forged)


async def test_an_algorithm_that_is_not_in_the_file_is_refused_though_its_key_fits(clock: Clock) -> None:
    issuer = TokenIssuer("RS256")
    verifier = verifier_of(issuer, clock, dataclasses.replace(TRUSTED, algorithms=("RS256",)))
    token = jwt.encode(claims(), issuer.keys["k1"], "PS256", headers={"kid": "k1"})
    assert "algorithm" in await refusal(verifier, token)
    assert issuer.fetches == 0


async def test_a_key_serves_only_the_algorithm_that_it_is_published_for(clock: Clock) -> None:
    issuer = TokenIssuer("RS256")
    verifier = verifier_of(issuer, clock, dataclasses.replace(TRUSTED, algorithms=("RS256", "PS256")))
    token = jwt.encode(claims(), issuer.keys["k1"], "PS256", headers={"kid": "k1"})
    assert "does not publish" in await refusal(verifier, token)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"aud": "another-app"}, "not for this system"),
        ({"aud": ["another-app", "a-third"]}, "not for this system"),
        ({"aud": None}, "lacks the claim aud"),
        ({"iss": "https://id.example.com/realms/other"}, "no issuer"),
        ({"iss": ISSUER + "/"}, "no issuer"),
        ({"iss": None}, "no issuer"),
        ({"exp": None}, "lacks the claim exp"),
        ({"exp": NOW}, "expired"),
        ({"exp": NOW - 3_600}, "expired"),
        ({"exp": True}, "not a number"),
        ({"exp": "tomorrow"}, "not a number"),
        ({"nbf": NOW + 60}, "not valid yet"),
        ({"iat": NOW + 60}, "not valid yet"),
        ({"sub": None}, "lacks the claim sub"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "not valid"),
        ({"sub": "alice\nroot"}, "subject"),
        ({"sub": "аlice"}, "subject"),
        ({"sub": "a" * 129}, "subject"),
        ({"scope": {"sms:send": True}}, "scopes"),
    ],
)
async def test_a_claim_that_is_wrong_is_refused(
    verifier: TokenVerifier, issuer: TokenIssuer, given: dict[str, Any], says: str
) -> None:
    assert says in await refusal(verifier, issuer.token(**given))


async def test_one_of_several_audiences_suffices(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    assert (await verifier.verify(issuer.token(aud=["account", AUDIENCE]))).id == "staff:alice"


async def test_clocks_may_be_apart_by_the_leeway(issuer: TokenIssuer, clock: Clock) -> None:
    verifier = verifier_of(issuer, clock, dataclasses.replace(TRUSTED, leeway_s=30))
    assert (await verifier.verify(issuer.token(exp=NOW - 29, iat=None))).id == "staff:alice"
    assert (await verifier.verify(issuer.token(nbf=NOW + 29))).id == "staff:alice"
    assert "expired" in await refusal(verifier, issuer.token(exp=NOW - 30, iat=None))
    assert "yet" in await refusal(verifier, issuer.token(nbf=NOW + 31))


async def test_a_kid_that_belongs_to_another_key_is_refused(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    issuer.keys["k2"] = new_key("ES256")
    assert "signature" in await refusal(verifier, issuer.token("k2", key=issuer.keys["k1"]))
    assert "signature" in await refusal(verifier, issuer.token("k1", key=new_key("ES256")))


async def test_a_token_without_a_kid_or_with_extensions_is_refused(
    verifier: TokenVerifier, issuer: TokenIssuer
) -> None:
    bare = jwt.encode(claims(), issuer.keys["k1"], "ES256")
    assert "name its key" in await refusal(verifier, bare)
    extensions: list[dict[str, object]] = [{"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": True}, {"crit": []}]
    for extension in extensions:
        headers = {"kid": "k1", **extension}
        assert await refusal(verifier, jwt.encode(claims(), issuer.keys["k1"], "ES256", headers=headers))
    head, body, _ = issuer.token().split(".")
    embedded = {"alg": "ES256", "kid": "k1", "jwk": {"kty": "oct", "k": "AA"}, "jku": "https://evil.example/keys"}
    assert "signature" in await refusal(verifier, unsigned(embedded, claims(), b"x" * 64))
    assert "signature" in await refusal(verifier, f"{head}.{body}.AAAA")


async def test_the_type_is_checked_where_the_file_has_one(issuer: TokenIssuer, clock: Clock) -> None:
    verifier = verifier_of(issuer, clock, dataclasses.replace(TRUSTED, types=("at+jwt",)))
    for name, is_right in (("at+jwt", True), ("application/AT+JWT", True), ("JWT", False)):
        token = jwt.encode(claims(), issuer.keys["k1"], "ES256", headers={"kid": "k1", "typ": name})
        if is_right:
            assert (await verifier.verify(token)).id == "staff:alice"
        else:
            assert "type" in await refusal(verifier, token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "eyJ.eyJ.",
        "eyJhbGciOiJFUzI1NiJ9.e30",
        "..",
        "eyJhbGciOiJFUzI1NiJ9.bm8.AA",
        "eyJhbGciOiJFUzI1NiJ9.W10.AA",
        "é.é.é",
        unsigned({"alg": 1, "kid": ["k1"]}, {"iss": [ISSUER]}),
        unsigned({"alg": "ES256", "kid": "k1", "b64": False}, claims()),
    ],
)
async def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    assert await refusal(verifier, token)


async def test_a_token_of_a_million_characters_is_refused_unread(
    verifier: TokenVerifier, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(padding="x" * 1_000_000)
    monkeypatch.setattr("service_kit.access.oidc.verifier._read", None)
    monkeypatch.setattr("service_kit.access.oidc.verified_tokens.sha256", None)
    assert str(MAX_TOKEN) in await refusal(verifier, token)
    assert issuer.fetches == 0


async def test_deeply_nested_claims_are_refused(verifier: TokenVerifier) -> None:
    body = base64.urlsafe_b64encode(b"[" * 12_000).rstrip(b"=").decode()[:16_000]
    head = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": "k1"}).encode()).rstrip(b"=").decode()
    assert await refusal(verifier, f"{head}.{body}.AA")


async def test_unknown_kids_cause_one_fetch_in_thirty_seconds(
    verifier: TokenVerifier, issuer: TokenIssuer, clock: Clock
) -> None:
    await verifier.verify(issuer.token())
    assert issuer.fetches == 1
    forger = new_key("ES256")
    flood = [issuer.token(f"unknown-{number}", key=forger) for number in range(200)]
    clock.pass_s(30)
    await asyncio.gather(*(refusal(verifier, token) for token in flood))
    assert issuer.fetches == 2
    clock.pass_s(29)
    for token in flood[:20]:
        await refusal(verifier, token)
    assert issuer.fetches == 2
    clock.pass_s(1)
    await refusal(verifier, flood[0])
    assert issuer.fetches == 3


async def test_a_new_key_of_the_issuer_serves_at_once(
    verifier: TokenVerifier, issuer: TokenIssuer, clock: Clock
) -> None:
    await verifier.verify(issuer.token())
    clock.pass_s(31)
    issuer.keys = {"k2": new_key("ES256")}
    old = issuer.token("k1", key=new_key("ES256"))
    assert (await verifier.verify(issuer.token("k2"))).id == "staff:alice"
    assert "does not publish" in await refusal(verifier, old)


async def test_a_key_that_is_withdrawn_ends_after_five_minutes(
    verifier: TokenVerifier, issuer: TokenIssuer, clock: Clock
) -> None:
    key = issuer.keys["k1"]
    await verifier.verify(issuer.token())
    issuer.keys = {"k2": new_key("ES256")}
    clock.pass_s(301)
    # The keys at hand serve while the new ones are fetched.
    assert (await verifier.verify(issuer.token("k1", key=key, exp=clock.now + 60))).id == "staff:alice"
    await asyncio.sleep(0)
    assert issuer.fetches == 2
    assert "does not publish" in await refusal(verifier, issuer.token("k1", key=key, exp=clock.now + 61))


async def test_the_last_keys_serve_for_an_hour_while_the_issuer_is_away(
    verifier: TokenVerifier, issuer: TokenIssuer, clock: Clock
) -> None:
    await verifier.verify(issuer.token())
    issuer.problem = "cannot be reached"
    for _ in range(12):
        clock.pass_s(299)
        assert (await verifier.verify(issuer.token(exp=clock.now + 60))).id == "staff:alice"
    with pytest.raises(ServiceError) as raised:
        await verifier.verify(issuer.token("k2", key=new_key("ES256"), exp=clock.now + 60))
    assert raised.value.reason == "IDENTITY_PROVIDER_UNAVAILABLE"
    clock.pass_s(13)
    with pytest.raises(ServiceError) as raised:
        await verifier.verify(issuer.token(exp=clock.now + 60))
    assert raised.value.kind is Kind.UNAVAILABLE
    assert raised.value.retry_after is not None
    issuer.problem = None
    clock.pass_s(5)
    assert (await verifier.verify(issuer.token(exp=clock.now + 60))).id == "staff:alice"


async def test_without_keys_it_is_tried_again_after_five_seconds(
    verifier: TokenVerifier, issuer: TokenIssuer, clock: Clock
) -> None:
    issuer.problem = "cannot be reached"
    for _ in range(10):
        with pytest.raises(ServiceError) as raised:
            await verifier.verify(issuer.token())
        assert raised.value.reason == "IDENTITY_PROVIDER_UNAVAILABLE"
    assert issuer.fetches == 1
    issuer.problem = None
    clock.pass_s(5)
    assert (await verifier.verify(issuer.token())).id == "staff:alice"


async def test_a_caller_that_leaves_does_not_end_the_fetch_of_the_others(issuer: TokenIssuer, clock: Clock) -> None:
    go_on = asyncio.Event()

    async def slow(trusted: Issuer) -> Any:
        await go_on.wait()
        return await issuer.fetch(trusted)

    verifier = TokenVerifier([TRUSTED], fetch=slow, now=lambda: clock.now, monotonic=lambda: clock.monotonic)
    leaving, staying = (asyncio.create_task(verifier.verify(issuer.token())) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    go_on.set()
    assert (await staying).id == "staff:alice"
    assert issuer.fetches == 1


async def test_a_verified_token_is_looked_up_for_a_minute_and_never_beyond_its_end(
    verifier: TokenVerifier, issuer: TokenIssuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, short = issuer.token(), issuer.token(exp=NOW + 20)
    for token in (long, short):
        await verifier.verify(token)
    verified: list[str] = []
    real = jwt.decode

    def watched(token: str, *rest: Any, **named: Any) -> dict[str, Any]:
        verified.append(token)
        return real(token, *rest, **named)

    monkeypatch.setattr("jwt.decode", watched)
    clock.pass_s(19)
    for token in (long, short):
        await verifier.verify(token)
    assert verified == []
    clock.pass_s(1)
    assert "expired" in await refusal(verifier, short)
    clock.pass_s(40)
    await verifier.verify(long)
    assert verified == [short, long]


def test_no_more_tokens_are_kept_than_there_is_room_for() -> None:
    kept = VerifiedTokens(lambda: NOW, max_tokens=3)
    principal = Principal("staff:alice", PrincipalKind.OIDC, None, frozenset())
    for number in range(5):
        kept.keep(f"token-{number}", principal, NOW + 60)
    assert len(kept) == 3
    assert [kept.get(f"token-{number}") is not None for number in range(5)] == [False, False, True, True, True]


async def test_other_issuers_of_a_new_file_end_what_was_verified(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    token = issuer.token()
    await verifier.verify(token)
    verifier.use([dataclasses.replace(TRUSTED, everybody=Grant(frozenset({"sms:read"})))])
    assert (await verifier.verify(token)).scopes == {"sms:send", "sms:read"}
    assert issuer.fetches == 2
    verifier.use([dataclasses.replace(TRUSTED, issuer="https://other.example")])
    assert "no issuer" in await refusal(verifier, token)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_NAMES = ("iss", "aud", "exp", "nbf", "iat", "sub", "scope", "jti", "accounts", "realm_access")


@settings(max_examples=300, deadline=None)
@given(given_claims=st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=4), header=_JSON)
async def test_whatever_a_token_holds_its_caller_is_known_or_refused(given_claims: dict[str, Any], header: Any) -> None:
    clock = Clock()
    trusted = dataclasses.replace(TRUSTED, accounts_claim=("accounts",), groups_claim=("realm_access", "roles"))
    verifier = verifier_of(ANY, clock, trusted)
    body = json.dumps({**claims(), **given_claims}).encode()
    signed = jwt.PyJWS().encode(body, ANY.keys["k1"], "ES256", headers={"kid": "k1", "x": header})
    for token in (signed, unsigned({"alg": "ES256", "kid": header}, given_claims), signed[1:], signed + "=="):
        found: Principal | ServiceError
        try:
            found = await verifier.verify(token)
        except ServiceError as error:
            found = error
        if isinstance(found, ServiceError):
            assert found.kind is Kind.UNAUTHENTICATED
        else:
            assert found.id.startswith("staff:")
            assert hash(found)
