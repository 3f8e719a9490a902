"""Tells people of events, all that wait for a channel in one text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog

from messaging_service.notices.channel_ports import Checked
from messaging_service.notices.channels.children import ChildFailedError, Children
from messaging_service.notices.delivery_ports import DeliveryAttempt, DeliveryBatch
from messaging_service.notices.domain.channel_text import queued_event, text_of
from messaging_service.notices.domain.channels import email_problem, url_letters_problem
from messaging_service.notices.domain.endpoints import Answer, EndpointKind
from messaging_service.notices.manage_channels import channels_busy
from messaging_service.shared.meters import TextMeter

PATIENCE_S: Final = 28.0
"""Longest wait for a word on a target: less than callers wait, and more than a process takes to start."""

log = structlog.get_logger()


class ChannelSender:
    """Implements the port Sender for channels."""

    def __init__(self, children: Children, meter: TextMeter) -> None:
        self._children = children
        self._meter = meter

    async def post(self, batch: DeliveryBatch) -> AsyncGenerator[DeliveryAttempt, None]:
        """See Sender.post."""
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
            "channel.told",
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


class GuardedChannels:
    """Implements the port ChannelTargets: one target at a time, so that who asks takes no place of those who tell."""

    def __init__(self, children: Children, *, has_relay: bool, patience_s: float = PATIENCE_S) -> None:
        """`patience_s`: for one answer, the wait for its turn included."""
        self._children = children
        self._has_relay = has_relay
        self._patience_s = patience_s
        self._turn = asyncio.Semaphore(1)

    async def check(self, kind: EndpointKind, target: str) -> Checked:
        """See ChannelTargets.check."""
        if kind is EndpointKind.EMAIL:
            problem = email_problem(target)
            if problem is None and not self._has_relay:
                problem = "cannot be written to, as no mail relay is set up here (CHANNEL_SMTP_URL); ask the operator"
            return Checked(target, problem)
        if problem := url_letters_problem(target):
            return Checked("", problem)
        try:
            async with asyncio.timeout(self._patience_s), self._turn:
                answer = await self._children.ask({"do": "check", "url": target})
        except (ChildFailedError, TimeoutError):
            raise channels_busy() from None
        return Checked(answer["shown"], answer["problem"])
