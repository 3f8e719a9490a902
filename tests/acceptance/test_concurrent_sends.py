"""Many callers at once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.system.rest import SEND, Answer, answer_of, sms
from tests.system.running import System


async def at_once(system: System, requests: list[dict[str, Any]]) -> list[Answer]:
    """Sends all requests at the same time, each by a connection of its own."""
    limits = httpx.Limits(max_connections=len(requests))
    async with httpx.AsyncClient(base_url=system.rest.base_url, limits=limits, trust_env=False, timeout=60) as client:
        return [
            answer_of(response)
            for response in await asyncio.gather(*(client.post(SEND, json=request) for request in requests))
        ]


async def test_two_hundred_at_once_are_all_sent_once_and_share_transactions(system: System) -> None:
    requests = [sms(f"crowd-{number % 7}", messageId=f"crowd-{number}") for number in range(200)]
    answers = await at_once(system, requests)
    assert {(answer.status, answer.entry["status"]) for answer in answers} == {(200, "sent")}
    assert len({answer.entry["outboxId"] for answer in answers}) == 200
    assert [answer.entry["messageId"] for answer in answers] == [request["messageId"] for request in requests]
    assert [answer.entry["recipientPhoneNumber"] for answer in answers] == [
        request["recipientPhoneNumber"] for request in requests
    ]
    phones = sorted(request["recipientPhoneNumber"] for request in requests)
    assert sorted(part["recipient"] for part in system.phones.taken() if part["recipient"] in phones) == phones
    # The creation time is that of the transaction.
    transactions = "SELECT count(DISTINCT created_at) FROM message WHERE account_id LIKE 'crowd-%'"
    assert system.messaging_database.value(transactions) < 60
    system.check_money()
    assert sum(system.account(f"crowd-{number}")[0] for number in range(7)) == -160


async def test_the_same_message_id_a_hundred_times_at_once_is_one_sms(system: System) -> None:
    request = sms("hundred", messageId="only-once")
    answers = await at_once(system, [request] * 100)
    assert {answer.status for answer in answers} == {200}
    assert {answer.entry["status"] for answer in answers} == {"sent"}
    assert len({answer.entry["outboxId"] for answer in answers}) == 1
    assert sum("idempotent-replay" not in answer.headers for answer in answers) == 1
    assert len(system.phones.on(request["recipientPhoneNumber"])) == 1
    assert system.account("hundred") == (-0.8, 0)


async def test_one_message_id_for_two_requests_at_once_is_one_sms_and_refusals(system: System) -> None:
    requests = [sms("torn", messageId="contested") for _ in range(2)]
    answers = await at_once(system, [requests[number % 2] for number in range(40)])
    by_status = {status: [answer for answer in answers if answer.status == status] for status in (200, 409)}
    assert (len(by_status[200]), len(by_status[409])) == (20, 20)
    assert {answer.reason for answer in by_status[409]} == {"MESSAGE_ID_REUSED"}
    assert sum(len(system.phones.on(request["recipientPhoneNumber"])) for request in requests) == 1
    assert system.account("torn") == (-0.8, 0)


async def test_one_bad_request_in_a_crowd_fails_alone(system: System) -> None:
    requests = [sms("mixed", messageId=f"mixed-{number}") for number in range(30)]
    requests[7]["recipientPhoneNumber"] = "0712"
    requests[13]["senderId"] = "TWELVELETTER"
    answers = await at_once(system, requests)
    assert [number for number, answer in enumerate(answers) if answer.status == 400] == [7, 13]
    assert all(answer.entry["status"] == "sent" for answer in answers if answer.status == 200)
    assert system.account("mixed") == (-22.4, 0)
