"""REST with API keys, from the gateway through messaging to the carrier, where both require access."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest

from gateway_http.bootstrap import Gateway
from gateway_http.settings import REQUIRED, GatewaySettings
from gateway_http.shared.asserted_caller import asserted
from service_kit.access.api_key import generate
from service_kit.access.principal import AccessMode, Principal, PrincipalKind
from service_kit.access.requirement import Access
from service_kit.grpc.channel import open_channel
from service_kit.settings import Address
from tests.contract.sms_examples import RECIPIENT
from tests.integration.messaging.access.keys_at_work import terms
from tests.integration.messaging.running_service import Running, message, service_on
from tests.system.exposition import Figures
from tests.system.known_callers import KnownCallers, Metadata
from tests.system.messaging_database import rows
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import access_pb2 as pb
from tukupay.sms.messaging.v1 import access_pb2_grpc

pytestmark = pytest.mark.timeout(60)

KEYS = 50
REVOKED_S = 2.0


@dataclass
class System:
    service: Running
    operator: Metadata
    gateway: Gateway
    http: httpx.AsyncClient

    async def issue(self, **fields: Any) -> pb.CreateKeyResponse:
        """A new key, made by an operator over gRPC."""
        keys = access_pb2_grpc.AccessServiceStub(self.service.channel)
        return await keys.CreateKey(pb.CreateKeyRequest(terms=terms(**fields)), metadata=self.operator)

    async def send(self, key: str | None, user_id: str = "shop", **fields: Any) -> httpx.Response:
        body = {"userId": user_id, "recipientPhoneNumber": RECIPIENT, "message": "Hello", "senderId": "TUKUPAY"}
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return await self.http.post("/api/sms/send", json=body | fields, headers=headers)


@pytest.fixture
async def system(database_url: str, tmp_path: Path) -> AsyncIterator[System]:
    callers = KnownCallers(tmp_path / "identities.toml")
    callers.add("gateway", "assert:principal", "keys:resolve", kind="workload")
    operator = callers.add("amina", "*")
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(
            service_on(database_url, window=300, access=Access.REQUIRED, identities_file=callers.path)
        )
        channel = await stack.enter_async_context(open_channel(service.address, lambda: callers.tokens["gateway"]))
        settings = GatewaySettings(
            http_address=Address("127.0.0.1", 0), access=REQUIRED, bad_credentials_per_minute=1_000
        )
        gateway = Gateway(settings, channel, channel)
        await gateway.start()
        stack.push_async_callback(gateway.stop, 5.0)
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{gateway.http.port}",
                timeout=30,
                limits=httpx.Limits(max_connections=300),
            )
        )
        yield System(service, operator, gateway, http)


async def test_a_key_sends_and_whatever_is_none_does_not(system: System, database_url: str) -> None:
    right = (await system.issue()).secret
    revoked = await system.issue()
    keys = access_pb2_grpc.AccessServiceStub(system.service.channel)
    await keys.RevokeKey(pb.RevokeKeyRequest(key_id=revoked.key.key_id), metadata=system.operator)
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    expired = (await system.issue(expires_time=soon)).secret
    reader = (await system.issue(scopes=["sms:read"])).secret
    elsewhere = (await system.issue(networks=["192.0.2.0/24"])).secret

    async def has_expired() -> bool:
        return (await system.send(expired)).status_code == 401

    await eventually("the key has expired", has_expired)
    sent_before = len(system.service.carrier.submissions)
    refused = {
        "none": (await system.send(None), 401),
        "garbage": (await system.send("garbage"), 401),
        "wrong checksum": (await system.send(right[:-1] + ("a" if right[-1] != "a" else "b")), 401),
        "unknown": (await system.send(generate(AccessMode.LIVE).text), 401),
        "expired": (await system.send(expired), 401),
        "revoked": (await system.send(revoked.secret), 401),
        "the gateway's own token": (await system.send("tukupay_" + "x" * 43), 401),
        "wrong scope": (await system.send(reader), 403),
        "wrong network": (await system.send(elsewhere), 403),
        "other account": (await system.send(right, "other"), 403),
    }
    assert {name: answer.status_code for name, (answer, _) in refused.items()} == {
        name: status for name, (_, status) in refused.items()
    }
    assert len(system.service.carrier.submissions) == sent_before
    answer = await system.send(right)
    assert answer.status_code == 200
    entry = answer.json()["outboxEntry"]
    assert len(system.service.carrier.submissions) == sent_before + 1
    assert await rows(database_url, "SELECT count(*) FROM message WHERE account_id = 'other'") == [(0,)]
    # What it sent is there for keys of its account only, and for others as if it were not.
    other = (await system.issue(accounts=["other"])).secret
    outbox_id = entry["outboxId"]
    absent_id = outbox_id[:-4] + ("0000" if outbox_id[-4:] != "0000" else "1111")

    async def shown(key: str, asked: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        response = await system.http.get(f"/api/sms/outbox/{asked}", headers=headers)
        answer: dict[str, Any] = response.json()
        return answer | {"requestId": "", "detail": answer.get("detail", "").replace(asked, "")}

    assert (await shown(right, outbox_id))["outboxId"] == outbox_id
    foreign = await shown(other, outbox_id)
    assert foreign["reason"] == "OUTBOX_ENTRY_NOT_FOUND"
    assert foreign == await shown(other, absent_id)


async def test_of_256_sends_with_50_keys_exactly_those_for_foreign_accounts_are_refused(system: System) -> None:
    made = [await system.issue(accounts=[f"shop{number}"]) for number in range(KEYS)]
    foreign = set(range(7, 256, 25))
    assert len(foreign) == 10
    answers = await asyncio.gather(
        *(
            system.send(made[number % KEYS].secret, f"shop{(number + (number in foreign)) % KEYS}")
            for number in range(256)
        )
    )
    assert {index for index, answer in enumerate(answers) if answer.status_code == 403} == foreign
    assert {answer.status_code for answer in answers} == {200, 403}
    assert len(system.service.carrier.submissions) == 246


async def test_messaging_checks_each_send_of_a_shared_call_again(system: System) -> None:
    """A gateway that let all of them in would still send nothing for a foreign account."""
    scopes = frozenset({"sms:send"})
    callers = [
        asserted(Principal(f"tk_live_{number:08}", PrincipalKind.API_KEY, frozenset({f"shop{number}"}), scopes))
        for number in range(KEYS)
    ]
    foreign = set(range(7, 256, 25))
    sends = [
        system.gateway.coalescer.send(
            message(user_id=f"shop{(number + (number in foreign)) % KEYS}"), callers[number % KEYS]
        )
        for number in range(256)
    ]
    results = await asyncio.gather(*sends)
    assert {index for index, result in enumerate(results) if result.HasField("error")} == foreign
    assert {results[index].error.reason for index in foreign} == {"PERMISSION_DENIED"}
    assert len(system.service.carrier.submissions) == 246
    figures = Figures(generate_latest(system.gateway.registry).decode())
    assert figures("tukupay_send_batch_items_count") == 1
    assert figures("tukupay_send_batch_items_sum") == 256


async def test_a_key_that_is_revoked_over_rest_is_refused_within_two_seconds(system: System) -> None:
    admin = await system.issue(accounts=[], all_accounts=True, scopes=["keys:write", "keys:read", "sms:send"])
    headers = {"Authorization": f"Bearer {admin.secret}"}
    wanted = {"name": "shop", "mode": "live", "userIds": ["shop"], "scopes": ["sms:send"]}
    made = await system.http.post("/api/access/keys", json=wanted, headers=headers)
    assert made.status_code == 201
    key = made.json()["key"]
    assert key["createdBy"] == admin.key.key_id
    secret = made.json()["secret"]
    assert (await system.send(secret)).status_code == 200
    revoked = await system.http.post(f"/api/access/keys/{key['keyId']}/revoke", headers=headers)
    assert revoked.json()["status"] == "revoked"
    assert revoked.json()["revokedBy"] == admin.key.key_id

    async def is_refused() -> bool:
        return (await system.send(secret)).status_code == 401

    await eventually("the key is refused", is_refused, deadline_s=REVOKED_S)
    listed = await system.http.get("/api/access/keys", params={"userId": "shop"}, headers=headers)
    assert [one["status"] for one in listed.json()] == ["revoked"]
    assert secret not in listed.text
