"""Every method of messaging, called by everybody: nobody does or sees what is not theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor_pool import Default
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.wiring.services import SERVICES
from service_kit.access.api_key import generate
from service_kit.access.principal import AccessMode
from service_kit.access.requirement import Access
from tests.contract.sms_examples import accepted, refused
from tests.integration.messaging.running_service import Running, message, service_on
from tests.system.access_matrix import MINE, OTHER, Caller, Method, Verdict, methods, verdict
from tests.system.answered_calls import Answer, answer
from tests.system.known_callers import KnownCallers, Metadata, showing
from tests.system.messaging_database import rows
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import (
    access_pb2,
    access_pb2_grpc,
    feedback_pb2,
    suppressions_pb2,
    suppressions_pb2_grpc,
)
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(110)

METHODS: Final = [each for name in SERVICES for each in methods(Default().FindServiceByName(name))]
HEX: Final = "{:032x}"
WEBHOOK, DELETED_WEBHOOK, CHANNEL, DELETED_CHANNEL, ALERT = (HEX.format(number) for number in range(1, 6))
DELIVERY, CHANNEL_DELIVERY = HEX.format(6), HEX.format(7)
ABSENT: Final = HEX.format(0xABCDEF)
CHANGEABLE: Final = (
    "message",
    "message_event",
    "account",
    "ledger_entry",
    "webhook_endpoint",
    "webhook_delivery",
    "alert",
    "alert_rule",
    "suppression",
)
CHANGES_LAST: Final = ("DeleteWebhook", "DeleteChannel")


@dataclass
class Owned:
    """What MINE has, and requests about it."""

    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By method: the fields of a request that its owner gets an answer to."""

    def request(self, method: Method) -> Mapping[str, Any]:
        name = method.descriptor.name
        if name == "SendSmsBatch":
            return {"items": [message(user_id=MINE)]}
        return self.requests.get(name, {})


def test_the_matrix_knows_every_method_that_takes_an_id() -> None:
    taking = {each.descriptor.name for each in METHODS if verdict(each.rule, Caller.OTHER_ACCOUNT) is Verdict.HIDDEN}
    assert taking == set(_requests("", "", "", ""))
    assert len(METHODS) >= 60


def _requests(entry: str, failed: str, scheduled: str, suppression: str) -> dict[str, dict[str, Any]]:
    channel = {"channel_id": f"channel_{CHANNEL}"}
    webhook = {"webhook_id": f"webhook_{WEBHOOK}"}
    ending = {"reason": "asked", "ended_by": "amina"}
    return {
        "GetOutboxEntry": {"outbox_id": entry},
        "ResendSms": {"outbox_id": failed},
        "CancelSms": {"outbox_id": scheduled},
        "ListOutboxEvents": {"outbox_id": entry},
        "WatchOutboxEntry": {"outbox_id": entry},
        "RecordFeedback": {"outbox_id": entry, "outcome": feedback_pb2.FEEDBACK_OUTCOME_VERIFIED},
        "GetWebhook": webhook,
        "UpdateWebhook": {**webhook, "description": "new"},
        "RotateWebhookSecret": webhook,
        "DeleteWebhook": {"webhook_id": f"webhook_{DELETED_WEBHOOK}"},
        "TestWebhook": webhook,
        "ListWebhookDeliveries": webhook,
        "ReplayWebhookDeliveries": {**webhook, "delivery_id": f"delivery_{DELIVERY}"},
        "GetChannel": channel,
        "UpdateChannel": {**channel, "description": "new"},
        "DeleteChannel": {"channel_id": f"channel_{DELETED_CHANNEL}"},
        "TestChannel": channel,
        "ListChannelDeliveries": channel,
        "ReplayChannelDeliveries": {**channel, "delivery_id": f"delivery_{CHANNEL_DELIVERY}"},
        "AcknowledgeAlert": {"alert_id": f"alert_{ALERT}", "acknowledged_by": "amina"},
        "RemoveSuppression": {"suppression_id": suppression, **ending},
    }


async def _seed(service: Running, url: str, shown: Metadata) -> Owned:
    """Gives MINE one of everything."""
    service.carrier.answer = lambda submission: (
        refused() if "refuse" in submission.segmentation.segments[0] else accepted()
    )
    at = Timestamp()
    at.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    sent = [
        (await service.sms.SendSms(message(user_id=MINE, **fields), metadata=shown)).entry.outbox_id
        for fields in ({}, {"message": "refuse me"}, {"scheduled_time": at})
    ]
    entry = await suppressions_pb2_grpc.SuppressionServiceStub(service.channel).AddSuppression(
        suppressions_pb2.AddSuppressionRequest(
            phone_number="+254711111111", user_id=MINE, reason="asked", created_by="amina"
        ),
        metadata=shown,
    )
    for endpoint, kind in (
        (WEBHOOK, "webhook"),
        (DELETED_WEBHOOK, "webhook"),
        (CHANNEL, "email"),
        (DELETED_CHANNEL, "email"),
    ):
        await rows(
            url,
            "INSERT INTO webhook_endpoint (id, account_id, kind, url, events, description, secret, paused_until) "
            "VALUES (%s, %s, %s, 'https://mine.invalid', %s, '', 'mailto://mine', now() + interval '1 day')",
            (endpoint, MINE, kind, ["balance.low"]),
        )
    for delivery, endpoint in ((DELIVERY, WEBHOOK), (CHANNEL_DELIVERY, CHANNEL)):
        await rows(
            url,
            "INSERT INTO webhook_delivery (id, endpoint_id, event_id, event_type, body, state, give_up_at, next_try_at)"
            " VALUES (%s, %s, 'evt_1', 'balance.low', '{}', 'failed', now(), NULL)",
            (delivery, endpoint),
        )
    await rows(
        url,
        "INSERT INTO alert (id, account_id, kind, subject, value, threshold, resolved_at) "
        "VALUES (%s, %s, 'balance.low', '', 1, 2, now())",
        (ALERT, MINE),
    )
    accepted_id, failed_id, scheduled_id = sent
    return Owned(_requests(accepted_id, failed_id, scheduled_id, entry.suppression.suppression_id))


async def _callers(
    service: Running, callers: KnownCallers, url: str, operator: Metadata
) -> dict[Caller, list[Metadata]]:
    """What each of them shows; WRONG_SCOPE depends on the method."""
    keys = access_pb2_grpc.AccessServiceStub(service.channel)

    async def key(account: str) -> tuple[str, Metadata]:
        terms = access_pb2.KeyTerms(name="k", mode=common.ACCESS_MODE_LIVE, accounts=[account], scopes=["*"])
        made = await keys.CreateKey(access_pb2.CreateKeyRequest(terms=terms), metadata=operator)
        return made.key.key_id, showing(made.secret)

    expired, shown_expired = await key(MINE)
    revoked, shown_revoked = await key(MINE)
    await rows(url, "UPDATE api_key SET expires_at = now() - interval '1 s' WHERE id = %s", (expired,))
    await keys.RevokeKey(access_pb2.RevokeKeyRequest(key_id=revoked), metadata=operator)
    return {
        Caller.NOBODY: [(), (("authorization", "Basic YTpi"),)],
        Caller.GARBAGE: [
            showing("garbage"),
            showing("tk_live_garbage"),
            showing(generate(AccessMode.LIVE).text),
            showing("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
        ],
        Caller.EXPIRED: [shown_expired],
        Caller.REVOKED: [shown_revoked],
        Caller.OTHER_ACCOUNT: [(await key(OTHER))[1], showing(callers.tokens["others"])],
        Caller.PROGRAM: [showing(callers.tokens["gateway"])],
        Caller.RIGHT: [(await key(MINE))[1]],
        Caller.OPERATOR: [operator],
    }


async def test_nobody_does_or_sees_what_is_not_theirs(database_url: str, tmp_path: Path) -> None:
    callers = KnownCallers(tmp_path / "identities.toml")
    operator = callers.add("amina", "*")
    callers.add("others", "*", accounts=[OTHER])
    callers.add("gateway", "assert:principal", "keys:resolve", kind="workload")
    for scope in {each.rule.scope for each in METHODS}:
        other_scopes = next(each.other_scopes for each in METHODS if each.rule.scope == scope)
        callers.add("without-" + scope.replace(":", "-"), *other_scopes)
    async with service_on(
        database_url, access=Access.REQUIRED, identities_file=callers.path, bad_credentials_per_minute=1_000_000
    ) as service:
        owned = await _seed(service, database_url, operator)
        shown = await _callers(service, callers, database_url, operator)
        before = await _contents(database_url)
        leaks: list[str] = []
        for caller in Caller:
            if caller is Caller.RIGHT:
                # Up to here nobody had a right to change anything.
                assert leaks == []
                assert await _contents(database_url) == before
            for method in sorted(METHODS, key=lambda each: each.descriptor.name in CHANGES_LAST):
                without = "without-" + method.rule.scope.replace(":", "-")
                mine = [showing(callers.tokens[without])] if caller is Caller.WRONG_SCOPE else shown[caller]
                for credential in mine:
                    leaks += await _leaks(service, method, owned, caller, credential)
        assert leaks == []


async def _leaks(service: Running, method: Method, owned: Owned, caller: Caller, credential: Metadata) -> Sequence[str]:
    expected = verdict(method.rule, caller)
    request = method.request(owned.request(method))
    got = await answer(service.channel, method, request, credential)
    fits = False
    what = f"{method.name} by {caller.name}: {got.code.name} {got.details}"
    match expected:
        case Verdict.UNAUTHENTICATED:
            fits = got.code is grpc.StatusCode.UNAUTHENTICATED
        case Verdict.DENIED:
            fits = got.code is grpc.StatusCode.PERMISSION_DENIED
        case Verdict.HIDDEN:
            fits = got.code is grpc.StatusCode.NOT_FOUND and await _is_as_absent(
                service, method, owned, credential, got
            )
        case Verdict.ITEMS_DENIED:
            assert isinstance(got.message, pb.SendSmsBatchResponse)
            fits = [result.error.reason for result in got.message.results] == ["PERMISSION_DENIED"]
        case Verdict.ALLOWED:
            denials = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
            fits = got.code not in denials
            if caller is Caller.RIGHT and method.descriptor.name in owned.requests:
                fits = got.code is grpc.StatusCode.OK
    return [] if fits else [f"{what} ({expected.name})"]


async def _is_as_absent(service: Running, method: Method, owned: Owned, credential: Metadata, got: Answer) -> bool:
    """Whether an id that nobody has is answered in the same octets."""
    fields = dict(owned.request(method))
    foreign = fields[method.rule.field]
    prefix, _, _ = foreign.rpartition("_")
    absent = fields[method.rule.field] = f"{prefix}_{ABSENT}"
    other = await answer(service.channel, method, method.request(fields), credential)
    return got.told(foreign) == other.told(absent)


async def _contents(url: str) -> list[tuple[Any, ...]]:
    """Everything that callers can change, in short."""
    statement = " UNION ALL ".join(
        f"SELECT '{table}', md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t" for table in CHANGEABLE
    )
    return sorted(await rows(url, statement))
