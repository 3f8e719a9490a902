"""Erases one phone: everywhere but in its opt-outs, which a keyed hash keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from messaging_service.shared.domain import reasons
from messaging_service.shared.phone_numbers import PhoneNumberCheck
from service_kit.audit.actor import Actor
from service_kit.errors import Violation, invalid

BATCH: Final = 200
"""Messages that are erased in one transaction."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did, and what waits."""

    messages: int
    receipts: int
    inbound_messages: int
    counts: int
    """Of the phone's messages in an hour."""
    suppressions: int
    """Opt-outs in which a keyed hash took the phone's place."""
    open_messages: int
    """Their outcome is open: they are left, and another erasure finds them."""
    waiting: int
    """Receipts, messages of the phone and opt-outs that are still being worked on."""


class PhoneEraser(Protocol):
    """Where phones are erased. Every method is harmless when it is repeated.

    Raises ServiceError DATABASE_UNAVAILABLE, KEYS_UNAVAILABLE, KEYS_NOT_SET or CONVERSION_UNFINISHED.
    """

    async def messages(self, phone: str, limit: int) -> tuple[int, int]:
        """Erases up to `limit` messages that have ended, with their receipts; how many of each."""
        ...

    async def receipts(self, phone: str) -> int:
        """Erases the phone in receipts that name it; how many."""
        ...

    async def finish(self, phone: str, messages: int, receipts: int, actor: Actor) -> Erased:
        """Erases the rest and puts the erasure on record, in one transaction; all that was done, and what waits."""
        ...


class ErasePhone:
    """The use case behind ErasePhone."""

    def __init__(self, eraser: PhoneEraser, phone_problem: PhoneNumberCheck) -> None:
        self._eraser = eraser
        self._phone_problem = phone_problem

    async def __call__(self, phone: str, actor: Actor) -> Erased:
        """Erases a phone in E.164, in small transactions. Raises ServiceError as PhoneEraser, or INVALID_ARGUMENT."""
        if (problem := self._phone_problem(phone)) is not None:
            raise invalid([Violation("phone_number", reasons.INVALID_PHONE_NUMBER, problem)])
        messages = receipts = 0
        while True:
            erased, with_them = await self._eraser.messages(phone, BATCH)
            messages, receipts = messages + erased, receipts + with_them
            if erased == 0:
                break
        receipts += await self._eraser.receipts(phone)
        return await self._eraser.finish(phone, messages, receipts, actor)
