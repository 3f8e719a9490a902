"""The mobile network behind the sandbox: decides on each submit and remembers it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, NamedTuple

import smpp34

from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.carriers.smpp.codec.status import OK, judge, status_name
from sandbox_carriers.smpp.behaviours import (
    DELIVERED,
    MARKERS,
    NORMAL,
    Behaviour,
    ReceiptPlan,
    behaviour_in_text,
    behaviour_of_number,
)
from sandbox_carriers.smpp.journal import Journal
from sandbox_carriers.smpp.phones import (
    ACCEPTED,
    REFUSED,
    UNANSWERED,
    PhoneMessage,
    Phones,
)
from sandbox_carriers.smpp.receipt_queue import Receipt, ReceiptQueue
from sandbox_carriers.smpp.replies import Reply, reply_problem
from sandbox_carriers.smpp.texts import Fragment, fragment_in, text_of

_REFUSALS_REMEMBERED: Final = 10_000
_IDS_PER_SECOND: Final = 65_536
_TAKEN: Final = status_name(OK)
_RECEIPT_BITS: Final = 0x03
_RECEIPT_ALWAYS: Final = 1
_RECEIPT_ON_FAILURE: Final = 2


class Manner(Enum):
    """How a submit is answered."""

    AT_ONCE = "at once"
    SLOWLY = "slowly"
    NEVER = "never"
    CUT = "cut"


class Verdict(NamedTuple):
    """What the session does about a submit."""

    manner: Manner
    status: int
    message_id: str


@dataclass(slots=True)
class Counts:
    """What happened since the start or the last clearing."""

    submits: int = 0
    """submit_sm that arrived, parts counted one by one."""
    accepted: int = 0
    """Submits that were taken."""
    refusals: int = 0
    """Submits that were refused for good."""
    throttled: int = 0
    """Submits that were refused for the time being."""
    unanswered: int = 0
    """Submits that were never answered, taken or not."""
    max_outstanding: int = 0
    """Most submits that one link was seen to have in flight."""


class Network:
    """Takes submits. One object for all links."""

    def __init__(
        self,
        phones: Phones,
        receipts: ReceiptQueue,
        journal: Journal,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.phones = phones
        self.receipts = receipts
        self.journal = journal
        self.counts = Counts()
        self._changed = changed
        self._clock = clock
        self._refused: OrderedDict[tuple[str, bytes], int] = OrderedDict()
        # The count starts from the clock, so ids stay unique over restarts for as long as fewer than
        # 65,536 a second are given out on average.
        self._last_id = int(clock() * _IDS_PER_SECOND)

    def take(self, system_id: str, request: smpp34.SubmitSm) -> Verdict:
        """Decides on one submit and remembers it."""
        self.counts.submits += 1
        fragment = fragment_in(request)
        begun = self.phones.begun(system_id, request.source_addr, request.destination_addr, fragment)
        behaviour = _behaviour(request, fragment) or (begun.behaviour if begun else NORMAL)
        if behaviour is not NORMAL:
            refusal = self._refusal(behaviour, request.destination_addr, fragment.octets)
            if refusal != OK:
                return self._refuse(system_id, request, fragment, behaviour, refusal)
            if not behaviour.takes:
                self.counts.unanswered += 1
                self._remember(system_id, request, fragment, behaviour, state=UNANSWERED, status="no answer")
                self._changed()
                return Verdict(Manner.NEVER, OK, "")
        return self._accept(system_id, request, fragment, behaviour, begun)

    def write(self, phone: str, to: str | None, text: str) -> Reply:
        """Lets a phone write to a sender id, or to whoever wrote to it last; the client gets it at its next bind.

        `phone` is made of digits. Raises ValueError with a sentence when it cannot.
        """
        last = next((m for m in self.phones.of_phone(phone) if to is None or m.sender == to), None)
        to = to or (last.sender if last is not None else "")
        if problem := reply_problem(phone, to, text):
            raise ValueError(problem)
        system_ids = [last.system_id] if last is not None else self.receipts.receivers
        if not system_ids:
            raise ValueError("no client is bound that could receive it; start messaging first")
        reply = Reply(system_ids[0], phone, to, text)
        self.receipts.send_now(reply)
        self._changed()
        return reply

    def clear(self) -> None:
        """Forgets every message and starts the counts again; receipts under way stay under way."""
        self.phones.clear()
        self.counts = Counts()
        self._refused.clear()
        self.receipts.sent = self.receipts.acknowledged = 0
        self._changed()

    def stats(self) -> dict[str, int]:
        """The counts by name, with those of phones and receipts."""
        return {
            **{_camel(name): value for name, value in asdict(self.counts).items()},
            "unique": self.phones.unique,
            "repeated": self.phones.repeated,
            "receiptsSent": self.receipts.sent,
            "receiptsAcknowledged": self.receipts.acknowledged,
            "receiptsWaiting": self.receipts.waiting,
        }

    def _accept(
        self,
        system_id: str,
        request: smpp34.SubmitSm,
        fragment: Fragment,
        behaviour: Behaviour,
        message: PhoneMessage | None,
    ) -> Verdict:
        self.counts.accepted += 1
        self._last_id += 1
        message_id = f"{self._last_id:012X}"
        now_s = self._clock()
        if message is None:
            message = self._remember(system_id, request, fragment, behaviour)
        else:
            self.phones.add_part(message, fragment)
        message.message_ids.append(message_id)
        if self.journal.is_on:
            self.journal.add(_entry(now_s, message_id, message, fragment))
        plan = behaviour.receipt
        if plan is not None and _wants_receipt(request, plan):
            receipt = Receipt(message, message_id, plan, request, now_s)
            if plan.before_answer:
                self.receipts.send_now(receipt)
            else:
                self.receipts.schedule(receipt)
        self._changed()
        if not behaviour.answers:
            self.counts.unanswered += 1
            return Verdict(Manner.CUT if behaviour.cuts_link else Manner.NEVER, OK, message_id)
        return Verdict(Manner.SLOWLY if behaviour.is_slow else Manner.AT_ONCE, OK, message_id)

    def _refuse(
        self,
        system_id: str,
        request: smpp34.SubmitSm,
        fragment: Fragment,
        behaviour: Behaviour,
        status: int,
    ) -> Verdict:
        if judge(status)[0] is OutcomeKind.REFUSED:
            self.counts.refusals += 1
            self._remember(system_id, request, fragment, behaviour, state=REFUSED, status=status_name(status))
        else:
            # Not remembered as a message: it comes again, and is shown once it is taken.
            self.counts.throttled += 1
        self._changed()
        return Verdict(Manner.AT_ONCE, status, "")

    def _refusal(self, behaviour: Behaviour, recipient: str, octets: bytes) -> int:
        """The status with which this submit is refused; OK when it is not."""
        if behaviour.status == OK or behaviour.refusals is None:
            return behaviour.status
        key = (recipient, octets)
        refused = self._refused.pop(key, 0)
        if refused == behaviour.refusals:
            return OK
        self._refused[key] = refused + 1
        if len(self._refused) > _REFUSALS_REMEMBERED:
            self._refused.popitem(last=False)
        return behaviour.status

    def _remember(
        self,
        system_id: str,
        request: smpp34.SubmitSm,
        fragment: Fragment,
        behaviour: Behaviour,
        *,
        state: str = ACCEPTED,
        status: str = _TAKEN,
    ) -> PhoneMessage:
        message = PhoneMessage(
            received_at_s=self._clock(),
            system_id=system_id,
            sender=request.source_addr,
            recipient=request.destination_addr,
            data_coding=request.data_coding,
            total=fragment.total,
            behaviour=behaviour,
            state=state,
            status=status,
        )
        self.phones.keep(message, fragment)
        return message


def _behaviour(request: smpp34.SubmitSm, fragment: Fragment) -> Behaviour | None:
    """What the phone or the text asks for; the phone wins."""
    behaviour = behaviour_of_number(request.destination_addr)
    if behaviour is None and any(marker in fragment.octets for marker in MARKERS):
        behaviour = behaviour_in_text(text_of(fragment.octets, request.data_coding))
    return behaviour


def _wants_receipt(request: smpp34.SubmitSm, plan: ReceiptPlan) -> bool:
    wanted = request.registered_delivery & _RECEIPT_BITS
    return wanted == _RECEIPT_ALWAYS or (wanted == _RECEIPT_ON_FAILURE and plan.state != DELIVERED.state)


def _entry(at_s: float, message_id: str, message: PhoneMessage, fragment: Fragment) -> dict[str, Any]:
    return {
        "at": datetime.fromtimestamp(at_s, UTC).isoformat(),
        "id": message_id,
        "systemId": message.system_id,
        "sender": message.sender,
        "recipient": f"+{message.recipient}",
        "text": text_of(fragment.octets, message.data_coding),
        "reference": fragment.reference,
        "part": fragment.number,
        "parts": fragment.total,
        "behaviour": message.behaviour.name,
    }


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
