"""Keeps what is written at sandbox carriers from opting out real phones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from messaging_service.carriers.carrier import InboundSink
from messaging_service.opt_outs.domain.inbound import InboundMessage


def from_real_phones(sink: InboundSink, carriers: Collection[str], sandboxes: Collection[str]) -> InboundSink:
    """A sink that passes on what phones wrote, without what came by sandbox carriers.

    Anybody who has a sandbox can write there in the name of any phone. Where all carriers are sandboxes there are no
    real phones, and everything is passed on.
    """
    if set(sandboxes) >= set(carriers):
        return sink

    async def take(messages: Sequence[InboundMessage]) -> None:
        real = [message for message in messages if message.carrier not in sandboxes]
        if real:
            await sink(real)

    return take
