"""What the sandbox remembers of the messages that it saw."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from sandbox_carriers.smpp.behaviours import Behaviour
from sandbox_carriers.smpp.texts import Fragment, encoding_name, text_of

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
UNANSWERED: Final = "unanswered"

_ASSEMBLED_AT_ONCE: Final = 10_000
_REPEATS_LOOKED_BACK: Final = 200_000


class PhoneMessage:
    """One message, of one or more parts, as it was sent to one phone."""

    __slots__ = (
        "behaviour",
        "data_coding",
        "message_ids",
        "parts",
        "receipt",
        "receipts_acknowledged",
        "receipts_sent",
        "received_at_s",
        "recipient",
        "sender",
        "state",
        "status",
        "system_id",
        "total",
    )

    def __init__(
        self,
        *,
        received_at_s: float,
        system_id: str,
        sender: str,
        recipient: str,
        data_coding: int,
        total: int,
        behaviour: Behaviour,
        state: str,
        status: str,
    ) -> None:
        self.received_at_s = received_at_s
        self.system_id = system_id
        self.sender = sender
        self.recipient = recipient
        self.data_coding = data_coding
        self.total = total
        self.behaviour = behaviour
        self.parts: dict[int, bytes] = {}
        self.message_ids: list[str] = []
        self.state = state
        """ACCEPTED, REFUSED or UNANSWERED."""
        self.status = status
        """How the submit was answered."""
        self.receipt: str | None = None
        """The word of the last receipt that was sent."""
        self.receipts_sent = 0
        self.receipts_acknowledged = 0

    @property
    def is_whole(self) -> bool:
        """Whether every part is here."""
        return len(self.parts) == self.total

    @property
    def is_on_phone(self) -> bool:
        """Whether a phone would show it: whole, accepted, and not reported failed."""
        return self.state == ACCEPTED and self.is_whole and self.behaviour.reaches_phone

    @property
    def octets(self) -> bytes:
        """The parts that are here, in order."""
        if self.total == 1:
            return self.parts.get(1, b"")
        return b"".join(self.parts[number] for number in sorted(self.parts))

    @property
    def text(self) -> str:
        """What the phone shows; a part that is missing is left out."""
        # Each part is decoded by itself, as a phone does: an escape pair never spans two.
        return "".join(text_of(self.parts[number], self.data_coding) for number in sorted(self.parts))

    def as_json(self) -> dict[str, Any]:
        """The message as the HTTP interface shows it; the guide says what the fields mean."""
        return {
            "receivedAt": datetime.fromtimestamp(self.received_at_s, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "recipient": f"+{self.recipient}",
            "sender": self.sender,
            "text": self.text,
            "encoding": encoding_name(self.data_coding),
            "parts": self.total,
            "partsReceived": len(self.parts),
            "state": self.state,
            "status": self.status,
            "onPhone": self.is_on_phone,
            "messageIds": self.message_ids,
            "receipt": self.receipt,
            "receiptsSent": self.receipts_sent,
            "receiptsAcknowledged": self.receipts_acknowledged,
            "behaviour": self.behaviour.name,
            "systemId": self.system_id,
        }


class Phones:
    """The last messages, whole or in the making, oldest first; bounded."""

    def __init__(self, kept: int) -> None:
        self._messages: deque[PhoneMessage] = deque(maxlen=kept)
        self._assembling: OrderedDict[tuple[str, str, str, int, int], PhoneMessage] = OrderedDict()
        self._seen: set[int] = set()
        self._seen_order: deque[int] = deque()
        self.unique = 0
        """Whole messages that differ in recipient, sender or text."""
        self.repeated = 0
        """Whole messages that came before, counted each time they come again."""

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, message: PhoneMessage, fragment: Fragment) -> None:
        """Remembers a message with its first part to come."""
        message.parts[fragment.number] = fragment.octets
        self._messages.append(message)
        if message.state != ACCEPTED:
            return
        if message.total == 1:
            self._count(message)
            return
        self._assembling[_key(message, fragment)] = message
        if len(self._assembling) > _ASSEMBLED_AT_ONCE:
            self._assembling.popitem(last=False)

    def begun(self, system_id: str, sender: str, recipient: str, fragment: Fragment) -> PhoneMessage | None:
        """The message that this part goes on with; None when it begins one."""
        if fragment.total == 1:
            return None
        message = self._assembling.get((system_id, sender, recipient, fragment.reference, fragment.total))
        return None if message is None or fragment.number in message.parts else message

    def add_part(self, message: PhoneMessage, fragment: Fragment) -> None:
        """Adds a part to a message that has begun."""
        message.parts[fragment.number] = fragment.octets
        if message.is_whole:
            self._assembling.pop(_key(message, fragment), None)
            self._count(message)

    def newest(self, limit: int) -> list[PhoneMessage]:
        """At most that many messages, newest first."""
        return list(islice(reversed(self._messages), limit))

    def by_phone(self) -> dict[str, list[PhoneMessage]]:
        """The messages of each phone, newest first; the phone that was written to last comes first."""
        phones: dict[str, list[PhoneMessage]] = {}
        for message in reversed(self._messages):
            phones.setdefault(message.recipient, []).append(message)
        return phones

    def of_phone(self, digits: str) -> Iterator[PhoneMessage]:
        """The messages of one phone, newest first."""
        return (message for message in reversed(self._messages) if message.recipient == digits)

    def clear(self) -> None:
        """Forgets every message and the counts of unique and repeated ones."""
        self._messages.clear()
        self._assembling.clear()
        self._seen.clear()
        self._seen_order.clear()
        self.unique = self.repeated = 0

    def _count(self, message: PhoneMessage) -> None:
        key = hash((message.recipient, message.sender, message.octets))
        if key in self._seen:
            self.repeated += 1
            return
        self.unique += 1
        self._seen.add(key)
        self._seen_order.append(key)
        if len(self._seen_order) > _REPEATS_LOOKED_BACK:
            self._seen.discard(self._seen_order.popleft())


def _key(message: PhoneMessage, fragment: Fragment) -> tuple[str, str, str, int, int]:
    return (message.system_id, message.sender, message.recipient, fragment.reference, fragment.total)
