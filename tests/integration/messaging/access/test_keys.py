"""Keys over gRPC, with a real database: made, shown, rotated and revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from messaging_service.wiring.build_access import USES_EVERY_S
from service_kit.access.api_key import generate, parse
from service_kit.access.principal import AccessMode
from service_kit.errors import Kind
from service_kit.grpc.timestamps import to_datetime, to_timestamp
from tests.integration.messaging.access.keys_at_work import START, Platform, platform_on, shown, terms
from tests.integration.messaging.running_service import refusal_of
from tests.system.messaging_database import rows
from tests.system.waiting import eventually
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb

pytestmark = pytest.mark.timeout(60)

LATER = to_timestamp(START + timedelta(days=90))


@pytest.fixture
async def platform(database_url: str) -> AsyncIterator[Platform]:
    async with platform_on(database_url) as platform:
        yield platform


async def test_a_key_says_who_calls_with_it(platform: Platform) -> None:
    made = await platform.make(
        accounts=["till", "shop"],
        app_id="pos",
        networks=["10.1.0.0/16", "2001:db8::/32", "192.0.2.7"],
        expires_time=LATER,
        messages_per_minute=600,
        daily_spend_micros=2_500_000_000,
    )
    key = parse(made.secret)
    assert made.key.key_id == key.id
    answer = await platform.resolve(made.secret)
    assert answer == pb.ResolveKeyResponse(
        principal=common.Principal(
            id=key.id,
            kind=common.PRINCIPAL_KIND_API_KEY,
            accounts=["shop", "till"],
            app_id="pos",
            scopes=["sms:read", "sms:send"],
            mode=common.ACCESS_MODE_LIVE,
        ),
        networks=["10.1.0.0/16", "2001:db8::/32", "192.0.2.7/32"],
        expires_time=LATER,
    )
    kept = (await platform.keys.GetKey(pb.GetKeyRequest(key_id=key.id))).key
    assert (kept.status, kept.created_by, kept.created_time) == (pb.KEY_STATUS_ACTIVE, "open", to_timestamp(START))
    assert (kept.terms.messages_per_minute, kept.terms.daily_spend_micros) == (600, 2_500_000_000)
    assert not kept.HasField("last_used_time")


async def test_a_key_for_all_accounts_in_test_mode(platform: Platform) -> None:
    made = await platform.make(accounts=[], all_accounts=True, scopes=["*"], mode=common.ACCESS_MODE_TEST)
    principal = (await platform.resolve(made.secret)).principal
    assert made.secret.startswith("tk_test_")
    assert (principal.all_accounts, list(principal.accounts)) == (True, [])
    assert (list(principal.scopes), principal.mode) == (["*"], common.ACCESS_MODE_TEST)
    assert not principal.HasField("app_id")


async def test_every_field_at_fault_is_named(platform: Platform) -> None:
    error = await refusal_of(platform.make(name="", scopes=["sms:sent"], networks=["10.0.0.1/8"]))
    assert [violation.field for violation in error.violations] == ["terms.networks[0]", "terms.name", "terms.scopes"]


async def test_what_is_not_valid_is_answered_alike(platform: Platform) -> None:
    made = await platform.make()
    good = shown(made.secret)
    revoked = await platform.make()
    await platform.keys.RevokeKey(pb.RevokeKeyRequest(key_id=revoked.key.key_id))
    over = await platform.make(expires_time=to_timestamp(START + timedelta(hours=1)))
    platform.clock.forward(hours=1)
    refused = [
        shown(generate(AccessMode.LIVE).text),
        pb.ResolveKeyRequest(key_id=good.key_id, secret_sha256=bytes(32)),
        pb.ResolveKeyRequest(key_id="tk_live_none", secret_sha256=bytes(32)),
        shown(revoked.secret),
        shown(over.secret),
    ]
    errors = [await refusal_of(platform.keys.ResolveKey(request)) for request in refused]
    assert {(error.kind, error.reason, error.message) for error in errors} == {
        (Kind.NOT_FOUND, "KEY_NOT_FOUND", "there is no such key; list the keys to find its id")
    }
    assert (await platform.keys.ResolveKey(good)).principal.id == made.key.key_id


async def test_what_is_no_digest_is_refused(platform: Platform) -> None:
    error = await refusal_of(platform.keys.ResolveKey(pb.ResolveKeyRequest(key_id="tk_live_00000000")))
    assert error.violations[0].field == "secret_sha256"


async def test_both_keys_are_valid_while_one_replaces_the_other(platform: Platform) -> None:
    old = await platform.make(name="till", expires_time=LATER, messages_per_minute=7)
    platform.clock.forward(days=30)
    rotated = await platform.keys.RotateKey(pb.RotateKeyRequest(key_id=old.key.key_id, overlap=Duration(seconds=3_600)))
    assert rotated.replaced.replaced_by_key_id == rotated.key.key_id
    assert rotated.replaced.terms.expires_time == to_timestamp(platform.clock.now + timedelta(hours=1))
    # As long a life as the old one was given.
    assert rotated.key.terms.expires_time == to_timestamp(platform.clock.now + timedelta(days=90))
    assert (rotated.key.terms.name, rotated.key.terms.messages_per_minute) == ("till", 7)
    platform.clock.forward(minutes=59)
    assert (await platform.resolve(old.secret)).principal.id == old.key.key_id
    assert (await platform.resolve(rotated.secret)).principal.id == rotated.key.key_id
    platform.clock.forward(minutes=1)
    assert (await refusal_of(platform.resolve(old.secret))).reason == "KEY_NOT_FOUND"
    assert (await platform.resolve(rotated.secret)).principal.id == rotated.key.key_id
    kept = (await platform.keys.GetKey(pb.GetKeyRequest(key_id=old.key.key_id))).key
    assert kept.status == pb.KEY_STATUS_EXPIRED


async def test_the_overlap_is_a_day_at_most_a_month_and_never_prolongs_a_key(platform: Platform) -> None:
    key = (await platform.make()).key
    for seconds in (-1, 31 * 86_400, 2**40):
        request = pb.RotateKeyRequest(key_id=key.key_id, overlap=Duration(seconds=seconds))
        assert (await refusal_of(platform.keys.RotateKey(request))).violations[0].field == "overlap"
    replaced = (await platform.keys.RotateKey(pb.RotateKeyRequest(key_id=key.key_id))).replaced
    assert to_datetime(replaced.terms.expires_time) == START + timedelta(days=1)
    soon = to_timestamp(START + timedelta(minutes=5))
    ending = (await platform.make(expires_time=soon)).key
    replaced = (await platform.keys.RotateKey(pb.RotateKeyRequest(key_id=ending.key_id))).replaced
    assert replaced.terms.expires_time == soon


async def test_without_overlap_the_old_key_ends_at_once(platform: Platform) -> None:
    old = await platform.make()
    await platform.keys.RotateKey(pb.RotateKeyRequest(key_id=old.key.key_id, overlap=Duration()))
    assert (await refusal_of(platform.resolve(old.secret))).reason == "KEY_NOT_FOUND"


async def test_of_many_who_rotate_a_key_at_once_one_does(platform: Platform) -> None:
    key = (await platform.make()).key
    request = pb.RotateKeyRequest(key_id=key.key_id)
    calls = [asyncio.ensure_future(platform.keys.RotateKey(request)) for _ in range(16)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(each, pb.RotateKeyResponse) for each in done) == 1
    assert len((await platform.keys.ListKeys(pb.ListKeysRequest())).keys) == 2
    error = await refusal_of(platform.keys.RotateKey(request))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "KEY_REPLACED")


async def test_a_key_that_ended_is_not_rotated_but_can_be_revoked_again(platform: Platform) -> None:
    key = (await platform.make()).key
    first = await platform.keys.RevokeKey(pb.RevokeKeyRequest(key_id=key.key_id))
    assert (first.key.status, first.key.revoked_by) == (pb.KEY_STATUS_REVOKED, "open")
    platform.clock.forward(hours=1)
    assert await platform.keys.RevokeKey(pb.RevokeKeyRequest(key_id=key.key_id)) == first
    error = await refusal_of(platform.keys.RotateKey(pb.RotateKeyRequest(key_id=key.key_id)))
    assert (error.reason, error.metadata["status"]) == ("KEY_ENDED", "revoked")


async def test_ids_that_no_key_has_are_told(platform: Platform) -> None:
    for key_id in ("tk_live_00000000", "anything"):
        for call in (
            platform.keys.GetKey(pb.GetKeyRequest(key_id=key_id)),
            platform.keys.RotateKey(pb.RotateKeyRequest(key_id=key_id)),
            platform.keys.RevokeKey(pb.RevokeKeyRequest(key_id=key_id)),
        ):
            assert (await refusal_of(call)).reason == "KEY_NOT_FOUND"
    assert (await refusal_of(platform.keys.GetKey(pb.GetKeyRequest()))).violations[0].reason == "REQUIRED"


async def test_keys_are_listed_newest_first_by_pages(platform: Platform) -> None:
    made = []
    for number in range(5):
        platform.clock.forward(seconds=number % 2)
        made.append((await platform.make(name=f"n{number}", accounts=["shop", f"a{number}"])).key)
    await platform.keys.RevokeKey(pb.RevokeKeyRequest(key_id=made[2].key_id))

    async def listed(**wanted: Any) -> list[str]:
        names: list[str] = []
        request = pb.ListKeysRequest(page_size=2, **wanted)
        while True:
            page = await platform.keys.ListKeys(request)
            assert len(page.keys) <= 2
            names += [key.terms.name for key in page.keys]
            if not page.next_page_token:
                return names
            request.page_token = page.next_page_token

    everything = await listed()
    assert (sorted(everything), set(everything[:2])) == (["n0", "n1", "n2", "n3", "n4"], {"n4", "n3"})
    assert set(await listed(status=pb.KEY_STATUS_ACTIVE)) == {"n0", "n1", "n3", "n4"}
    assert await listed(status=pb.KEY_STATUS_REVOKED) == ["n2"]
    assert await listed(status=pb.KEY_STATUS_EXPIRED) == []
    assert await listed(user_id="a3") == ["n3"]
    token = (await platform.keys.ListKeys(pb.ListKeysRequest(page_size=2))).next_page_token
    for other in ({"user_id": "shop"}, {"status": pb.KEY_STATUS_ACTIVE}):
        request = pb.ListKeysRequest(page_size=2, page_token=token, **other)
        assert (await refusal_of(platform.keys.ListKeys(request))).violations[0].field == "page_token"
    for request in (pb.ListKeysRequest(page_size=501), pb.ListKeysRequest(status=9)):  # type: ignore[arg-type]
        assert (await refusal_of(platform.keys.ListKeys(request))).kind is Kind.INVALID


async def test_a_use_is_recorded_once_a_minute(platform: Platform, database_url: str) -> None:
    made = await platform.make()
    question = "SELECT last_used_at, xmin::text FROM api_key"

    async def used(at: Any) -> str:
        async def is_so() -> str:
            ((last, version),) = await rows(database_url, question)
            return str(version) if last == at else ""

        return await eventually(f"used {at}", is_so, deadline_s=4 * USES_EVERY_S)

    await platform.resolve(made.secret)
    version = await used(START)
    for _ in range(59):
        platform.clock.forward(seconds=1)
        await platform.resolve(made.secret)
    platform.clock.forward(seconds=1)
    await platform.resolve(made.secret)
    # One more version of the row, although it was used sixty times.
    assert await used(START + timedelta(minutes=1)) != version
    kept = (await platform.keys.GetKey(pb.GetKeyRequest(key_id=made.key.key_id))).key
    assert to_datetime(kept.last_used_time) == START + timedelta(minutes=1)


async def test_no_secret_is_in_the_table_or_in_a_log(
    platform: Platform, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await platform.make()
    rotated = await platform.keys.RotateKey(pb.RotateKeyRequest(key_id=made.key.key_id))
    await platform.resolve(rotated.secret)
    await refusal_of(platform.keys.GetKey(pb.GetKeyRequest(key_id=made.secret)))
    await refusal_of(platform.keys.RevokeKey(pb.RevokeKeyRequest(key_id=made.secret)))
    await refusal_of(platform.make(networks=[made.secret], scopes=["sms:send"]))
    kept = repr(await rows(database_url, "SELECT * FROM api_key"))
    logged = "".join(capsys.readouterr())
    for secret in (made.secret, rotated.secret):
        assert secret[:16] in kept
        for text in (kept, logged):
            assert secret[16:48] not in text
            assert secret[-14:] not in text


async def test_the_audit_log_says_who_made_rotated_and_revoked_a_key(platform: Platform, database_url: str) -> None:
    made = await platform.make(messages_per_minute=7)
    old = made.key.key_id
    rotated = await platform.keys.RotateKey(pb.RotateKeyRequest(key_id=old))
    await refusal_of(platform.keys.RotateKey(pb.RotateKeyRequest(key_id=old)))
    for _ in range(2):
        await platform.keys.RevokeKey(pb.RevokeKeyRequest(key_id=old))
    found = await rows(database_url, "SELECT action, subject, account, principal, after FROM audit_entry ORDER BY id")
    new = rotated.key.key_id
    assert [row[:4] for row in found] == [
        ("key.created", old, "shop", "open"),
        ("key.rotated", old, "shop", "open"),
        ("key.created", new, "shop", "open"),
        ("key.revoked", old, "shop", "open"),
    ]
    assert (found[0][4]["terms"]["scopes"], found[0][4]["terms"]["messages_per_minute"]) == (
        ["sms:read", "sms:send"],
        7,
    )
    assert found[1][4] == {"expires_at": "2026-12-02T09:30:00+00:00", "replaced_by": new}
    assert found[3][4] == {"revoked_at": "2026-12-01T09:30:00+00:00", "revoked_by": "open"}
    for secret in (made.secret, rotated.secret):
        assert secret[16:] not in repr(found)


async def test_terms_of_messages_are_read_as_they_were_given(platform: Platform) -> None:
    given = terms(app_id="pos", networks=["10.0.0.0/8"], messages_per_minute=1, daily_spend_micros=1)
    made = await platform.keys.CreateKey(pb.CreateKeyRequest(terms=given))
    given.scopes.sort()
    assert made.key.terms == given
