"""Who calls a gRPC method: by certificate, by token, or by the word of one who may vouch for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from service_kit import reasons
from service_kit.access import api_key, bearer_tokens, principal_messages
from service_kit.access.bad_credentials import BadCredentials
from service_kit.access.identities import Identities, Identity
from service_kit.access.principal import OPEN, AccessMode, Principal, PrincipalKind
from service_kit.access.refusals import unauthenticated
from service_kit.errors import Kind, ServiceError
from service_kit.grpc.access_control import Metadata
from service_kit.grpc.authentication import (
    KEPT_S,
    MAX_KEPT,
    Assertions,
    Authentication,
    OpenAccess,
    Resolvers,
)
from service_kit.grpc.peers import address_of

URI = "spiffe://tukupay/ns/sms/sa/gateway"
TOKEN = bearer_tokens.generate()
GATEWAY = Principal("workload:gateway", PrincipalKind.WORKLOAD, None, frozenset({"assert:principal"}))
JANE = Principal("operator:jane", PrincipalKind.OPERATOR, None, frozenset({"*"}))
KEY_OWNER = Principal("tk_live_00000000", PrincipalKind.API_KEY, frozenset({"shop"}), frozenset({"sms:send"}))
KNOWN = Identities([Identity(GATEWAY, URI, ()), Identity(JANE, None, (bearer_tokens.digest(TOKEN.text),))])


@dataclass
class Connection:
    """Implements Peer."""

    uris: list[bytes] = field(default_factory=list)
    address: str = "ipv4:10.1.2.3:40000"

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {"peer_uri": self.uris} if self.uris else {}

    def peer(self) -> str:
        return self.address


@dataclass
class Keys:
    """Resolves one key."""

    valid: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    async def __call__(self, credential: str, address: str | None) -> Principal:
        self.asked.append((credential, address))
        if not self.valid:
            raise unauthenticated("the API key is not valid")
        return KEY_OWNER


def bearer(token: str) -> Metadata:
    return {"authorization": f"Bearer {token}"}


def asserting(principal: Principal) -> Metadata:
    return {principal_messages.METADATA_KEY: principal_messages.from_principal(principal).SerializeToString()}


CERTIFIED = Connection([URI.encode()])


async def test_a_certificate_is_looked_at_first() -> None:
    authenticate = Authentication(lambda: KNOWN)
    assert await authenticate({}, CERTIFIED) == GATEWAY
    assert await authenticate(bearer(TOKEN.text), CERTIFIED) == GATEWAY
    assert await authenticate(bearer(TOKEN.text), Connection([b"spiffe://elsewhere/x"])) == JANE
    assert await authenticate(bearer(TOKEN.text), Connection()) == JANE


@pytest.mark.parametrize(
    ("metadata", "peer", "cause"),
    [
        ({}, Connection(), "no_credential"),
        ({"authorization": "Basic YTpi"}, Connection(), "no_credential"),
        ({"authorization": "Bearer  "}, Connection(), "no_credential"),
        ({"authorization": b"Bearer x"}, Connection(), "no_credential"),
        ({}, Connection([b"spiffe://elsewhere/x"]), "certificate"),
        ({}, Connection([URI.encode(), b"spiffe://tukupay/ns/sms/sa/other"]), "no_credential"),
        ({}, Connection([b"\xff"]), "certificate"),
        (bearer("garbage"), Connection(), "token"),
        (bearer(TOKEN.text + "x"), Connection(), "token"),
        (bearer("é\udcff"), Connection(), "token"),
        (bearer("x" * 1_000_000), Connection(), "token"),
        (bearer("tk_live_garbage"), Connection(), "api_key"),
        (bearer("a.b.c"), Connection(), "jwt"),
    ],
)
async def test_who_shows_nothing_valid_is_refused_and_counted(metadata: Metadata, peer: Connection, cause: str) -> None:
    causes = Counter[str]()
    with pytest.raises(ServiceError) as caught:
        await Authentication(lambda: KNOWN, refused=lambda cause: causes.update([cause]))(metadata, peer)
    assert (caught.value.kind, caught.value.reason) == (Kind.UNAUTHENTICATED, reasons.UNAUTHENTICATED)
    assert causes == {cause: 1}
    assert "garbage" not in caught.value.message


async def test_a_token_that_left_the_file_is_refused_at_once() -> None:
    known = KNOWN
    authenticate = Authentication(lambda: known)
    assert await authenticate(bearer(TOKEN.text), Connection()) == JANE
    known = Identities()
    with pytest.raises(ServiceError):
        await authenticate(bearer(TOKEN.text), Connection())


async def test_a_key_is_resolved_with_the_address_of_its_caller_and_kept_for_a_second() -> None:
    keys, now = Keys(), 100.0
    authenticate = Authentication(lambda: KNOWN, Resolvers(api_key=keys), clock=lambda: now)
    key = api_key.generate(AccessMode.LIVE).text
    for _ in range(3):
        assert await authenticate(bearer(key), Connection()) == KEY_OWNER
    assert keys.asked == [(key, "10.1.2.3")]
    await authenticate(bearer(key), Connection(address="ipv4:10.9.9.9:1"))
    assert keys.asked[1:] == [(key, "10.9.9.9")]
    keys.valid = False
    assert await authenticate(bearer(key), Connection()) == KEY_OWNER
    now += KEPT_S
    with pytest.raises(ServiceError):
        await authenticate(bearer(key), Connection())


async def test_no_key_or_token_of_others_makes_a_program_of_the_platform() -> None:
    async def generous(credential: str, address: str | None) -> Principal:
        assert (credential, address) in {("tk_live_x", "10.1.2.3"), ("a.b.c", "10.1.2.3")}
        return replace(KEY_OWNER, scopes=frozenset({"sms:send", "assert:principal", "keys:resolve"}))

    authenticate = Authentication(lambda: KNOWN, Resolvers(api_key=generous, jwt=generous))
    for token in ("tk_live_x", "a.b.c"):
        assert await authenticate(bearer(token), Connection()) == KEY_OWNER


async def test_keys_are_kept_in_bounds() -> None:
    keys = Keys()
    authenticate = Authentication(lambda: KNOWN, Resolvers(api_key=keys))
    for number in range(MAX_KEPT + 10):
        await authenticate(bearer("tk_live_x"), Connection(address=f"ipv4:10.0.0.{number}:1"))
    assert len(authenticate._keys) == MAX_KEPT


async def test_only_who_may_vouch_is_believed() -> None:
    authenticate = Authentication(lambda: KNOWN)
    assert await authenticate(asserting(KEY_OWNER), CERTIFIED) == KEY_OWNER
    with pytest.raises(ServiceError) as caught:
        await authenticate({**bearer(TOKEN.text), **asserting(KEY_OWNER)}, Connection())
    assert caught.value.kind is Kind.PERMISSION_DENIED
    assert caught.value.metadata == {"scope": "assert:principal"}


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\x0a\x01x"])
async def test_a_principal_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        await Authentication(lambda: KNOWN)({principal_messages.METADATA_KEY: data}, CERTIFIED)
    assert caught.value.kind is Kind.INVALID


async def test_nobody_can_be_asserted_to_be_a_program_of_the_platform_or_everybody() -> None:
    asserted = Principal("tk_live_00000000", PrincipalKind.API_KEY, None, frozenset({"*", "assert:principal"}))
    believed = Assertions().principal(GATEWAY, asserting(asserted))
    assert believed.scopes == {"*"}
    assert not believed.may("assert:principal")


async def test_an_open_system_believes_whom_a_gateway_calls_for() -> None:
    assert await OpenAccess()({}, Connection()) is OPEN
    assert await OpenAccess()(bearer("garbage"), Connection()) is OPEN
    assert await OpenAccess()(asserting(KEY_OWNER), Connection()) == KEY_OWNER


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:41234", "127.0.0.1"),
        ("ipv6:%5B::1%5D:41234", "::1"),
        ("ipv6:[fe80::1%25eth0]:41234", "fe80::1"),
        ("unix:/run/messaging.sock", None),
        ("", None),
    ],
)
def test_the_address_of_a_caller_is_read_as_grpc_says_it(peer: str, address: str | None) -> None:
    assert address_of(peer) == address


async def test_bad_credentials_are_limited_by_address_over_grpc_and_good_ones_never() -> None:
    causes: Counter[str] = Counter()
    authenticate = Authentication(
        lambda: KNOWN,
        Resolvers(api_key=Keys(valid=False)),
        refused=lambda cause: causes.update([cause]),
        bad=BadCredentials(2, lambda: 0.0),
    )

    async def refusal(metadata: Metadata, peer: Connection) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            await authenticate(metadata, peer)
        return caught.value

    here, elsewhere = Connection(), Connection(address="ipv4:10.1.2.4:40000")
    bad = bearer("guessed"), bearer(api_key.generate(AccessMode.LIVE).text)
    assert [(await refusal({}, here)).reason for _ in range(3)] == [reasons.UNAUTHENTICATED] * 3
    assert [(await refusal(metadata, here)).reason for metadata in bad] == [reasons.UNAUTHENTICATED] * 2
    limited = await refusal(bad[0], here)
    assert (limited.kind, limited.reason) == (Kind.OVERLOADED, reasons.TOO_MANY_BAD_CREDENTIALS)
    assert limited.retry_after is not None
    assert (await refusal(bad[0], elsewhere)).reason == reasons.UNAUTHENTICATED
    assert await authenticate(bearer(TOKEN.text), here) == JANE
    assert causes["limited"] == 1
