"""The answers to messages, honest and otherwise."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from sandbox_carriers.africastalking.api_behaviours import Manner
from sandbox_carriers.africastalking.http_link import HttpLink, head
from sandbox_carriers.africastalking.sandbox_account import Verdict

HUGE_BYTES: Final = 4 << 20
DRIP_S: Final = 0.02
_JSON: Final = "application/json"


async def answer(link: HttpLink, verdict: Verdict) -> None:
    """Answers in the manner of the message's behaviour; returns when there is no more to say."""
    manner = verdict.behaviour.manner
    body = msgspec.json.encode(_data(verdict, manner))
    if manner is Manner.CUT:
        link.cut()
    elif manner is Manner.HALF:
        link.write(head(201, _JSON, len(body)) + body[: len(body) // 2])
        link.close()
    elif manner is Manner.DRIPPING:
        link.write(head(201, _JSON, HUGE_BYTES))
        while link.is_open:
            link.write(b" ")
            await asyncio.sleep(DRIP_S)
    elif manner is Manner.GARBAGE:
        link.answer(201, b"<html>{]\xff" + body)
    elif manner is Manner.HUGE:
        link.answer(201, b" " * HUGE_BYTES + body)
    elif manner is not Manner.NEVER:
        link.answer(201, body)


def _data(verdict: Verdict, manner: Manner) -> dict[str, Any]:
    if manner is Manner.NO_RECIPIENTS:
        return {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}
    answered = verdict.as_json()
    if manner is Manner.WRONG_NUMBER:
        answered["SMSMessageData"]["Recipients"][0]["number"] = "+254799999999"
    return answered
