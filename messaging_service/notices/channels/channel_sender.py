"""Sends events to people: all that wait for a channel go out in one text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog
from typing_extensions import override

from messaging_service.notices.channels.children import ChildFailedError, Children
from messaging_service.notices.delivery_ports import DeliveryAttempt, DeliveryBatch, Sender
from messaging_service.notices.domain.channel_text import queued_event, text_of
from messaging_service.notices.domain.channels import email_problem, url_letters_problem
from messaging_service.notices.domain.endpoints import Answer, EndpointKind
from messaging_service.notices.endpoint_families import channels_busy
from messaging_service.notices.endpoint_targets import CheckedTarget, EndpointTargets
from messaging_service.notices.notice_meters import TextMeter

PATIENCE_S: Final = 28.0
"""Longest wait for the check of a target: less than callers wait, and more than a process takes to start."""

log = structlog.get_logger()


class ChannelSender(Sender):
    """Sends to people: all deliveries of a batch in one text."""

    def __init__(self, children: Children, meter: TextMeter) -> None:
        self._children = children
        self._meter = meter

    @override
    async def post(self, batch: DeliveryBatch) -> AsyncGenerator[DeliveryAttempt, None]:
        if not batch.deliveries:
            return
        text = text_of([queued_event(json.loads(delivery.body)) for delivery in batch.deliveries])
        question = {"title": text.title, "body": text.body}
        target = batch.secrets[0]
        if batch.kind is EndpointKind.EMAIL:
            question |= {"do": "mail", "to": target}
        else:
            question |= {"do": "post", "url": target}
        clock = asyncio.get_running_loop().time
        begun = clock()
        answer = await self._ask(question)
        self._meter.text(batch.kind, answer.error, len(batch.deliveries), clock() - begun)
        log.info(
            "channel.notified",
            channel=batch.endpoint_id.hex,
            kind=batch.kind.value,
            events=len(batch.deliveries),
            status=answer.status,
            error=answer.error,
        )
        for delivery in batch.deliveries:
            yield DeliveryAttempt(delivery, answer)

    async def _ask(self, question: Mapping[str, Any]) -> Answer:
        try:
            answer = await self._children.ask(question)
        except ChildFailedError as error:
            return Answer(None, str(error))
        asked = answer.get("retryAfterS")
        return Answer(answer["status"], answer["error"], None if asked is None else timedelta(seconds=asked))


class GuardedChannels(EndpointTargets):
    """Checks targets of channels, one at a time, so that checks leave the processes to the deliveries."""

    def __init__(self, children: Children, *, has_relay: bool, patience_s: float = PATIENCE_S) -> None:
        """`patience_s`: longest wait for one check, the wait for its turn included."""
        self._children = children
        self._has_relay = has_relay
        self._patience_s = patience_s
        self._turn = asyncio.Semaphore(1)

    @override
    async def check(self, kind: EndpointKind, target: str) -> CheckedTarget:
        if kind is EndpointKind.EMAIL:
            problem = email_problem(target)
            if problem is None and not self._has_relay:
                problem = (
                    "cannot be written to because no mail relay is set up here (CHANNEL_SMTP_URL); ask the operator"
                )
            return CheckedTarget(target, problem)
        if problem := url_letters_problem(target):
            return CheckedTarget("", problem)
        try:
            async with asyncio.timeout(self._patience_s), self._turn:
                answer = await self._children.ask({"do": "check", "url": target})
        except (ChildFailedError, TimeoutError):
            raise channels_busy() from None
        return CheckedTarget(answer["shown"], answer["problem"])
