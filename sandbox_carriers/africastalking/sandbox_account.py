"""The account at the carrier, and the phones behind it: decides on each message and remembers it."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from messaging_service.carriers.africastalking.results import RESULTS
from messaging_service.texts.segmentation import segment
from sandbox_carriers.africastalking.api_behaviours import NORMAL, Behaviour, behaviour_of
from sandbox_carriers.africastalking.sandbox_api_settings import AfricasTalkingSandboxSettings
from sandbox_carriers.smpp.journal import Journal

_REMEMBERED: Final = 200_000
_TRIES_REMEMBERED: Final = 10_000
_NAMES: Final = {result.number: result.name for result in RESULTS} | {100: "Processed", 101: "Success", 102: "Queued"}
TAKEN_CODES: Final = frozenset({100, 101, 102})


@dataclass(slots=True)
class Counts:
    """What happened since the start or the last clearing."""

    requests: int = 0
    """Messages that were posted, whatever became of them."""
    unauthorized: int = 0
    taken: int = 0
    """Messages that went to a phone."""
    refused: int = 0
    """Messages that were answered and did not go to a phone."""
    throttled: int = 0
    unanswered: int = 0
    """Messages without a whole and honest answer."""
    unique: int = 0
    """Messages taken that differ in phone, sender or text."""
    repeated: int = 0
    """Messages taken that had been taken before."""
    account_looks: int = 0
    reports_sent: int = 0
    reports_acknowledged: int = 0


@dataclass(slots=True)
class Sms:
    """One message that was taken."""

    id: str
    to: str
    """As it came, with `+`."""
    sender: str
    text: str
    parts: int
    cost: Decimal
    behaviour: Behaviour
    received_at_s: float
    reports: list[str] = field(default_factory=list)
    """The statuses that were reported and acknowledged."""

    @property
    def network(self) -> str:
        """The network of the phone, by its prefix."""
        return {"73": "63903", "77": "63907", "76": "63999"}.get(self.to[4:6], "63902")

    def as_json(self) -> dict[str, Any]:
        """The message as the HTTP interface shows it."""
        return {
            "id": self.id,
            "receivedAt": datetime.fromtimestamp(self.received_at_s, UTC).isoformat(timespec="milliseconds"),
            "to": self.to,
            "from": self.sender,
            "text": self.text,
            "parts": self.parts,
            "cost": f"KES {self.cost:.4f}",
            "behaviour": self.behaviour.name,
            "reports": self.reports,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered to a message."""

    behaviour: Behaviour
    code: int
    sms: Sms | None
    """The message, when it was taken."""
    to: str

    def recipient(self) -> dict[str, Any]:
        """The entry in the list of recipients."""
        is_taken = self.code in TAKEN_CODES and self.sms is not None
        entry: dict[str, Any] = {
            "statusCode": self.code,
            "number": self.to,
            "status": _NAMES.get(self.code, "SomethingNew"),
            "cost": f"KES {self.sms.cost:.4f}" if is_taken and self.sms is not None else "0",
            "messageId": self.sms.id if is_taken and self.sms is not None else "None",
        }
        if is_taken and self.sms is not None:
            entry["messageParts"] = self.sms.parts
        return entry

    def as_json(self) -> dict[str, Any]:
        """The answer as the carrier spells it."""
        entry = self.recipient()
        taken = 1 if self.code in TAKEN_CODES else 0
        total = entry["cost"] if taken else "0"
        return {"SMSMessageData": {"Message": f"Sent to {taken}/1 Total Cost: {total}", "Recipients": [entry]}}


class Account:
    """Takes messages while there is money. One object for all connections."""

    def __init__(
        self,
        settings: AfricasTalkingSandboxSettings,
        journal: Journal,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._changed = changed
        self._clock = clock
        self.balance = settings.balance_kes
        """KES; tests may set it."""
        self.fault = settings.fault
        """What every message meets, before its own number or words are asked; None for nothing."""
        self.opted_out: set[tuple[str, str]] = set()
        """Phone and sender id that do not go together any more."""
        self.counts = Counts()
        self.messages: deque[Sms] = deque(maxlen=settings.kept_messages)
        self._tries: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._second = (0, 0)
        self._last_id = int(clock() * 65_536)

    def take(self, to: str, sender: str, text: str) -> Verdict:
        """Decides on one message and remembers it when it is taken."""
        self.counts.requests += 1
        behaviour = self._behaviour(to, sender, text)
        parts = segment(text).units
        cost = self._settings.price_kes * parts
        code = behaviour.code
        if (to, sender) in self.opted_out:
            behaviour, code = NORMAL, 406
        elif behaviour.takes and code in TAKEN_CODES and cost > self.balance:
            behaviour, code = NORMAL, 405
        takes = behaviour.takes and code not in (405, 406) and behaviour.http_status != 429
        sms = None
        if takes:
            self._last_id += 1
            sms = Sms(f"ATXid_{self._last_id:x}", to, sender, text, parts, cost, behaviour, self._clock())
            self._remember(sms)
        self._changed()
        return Verdict(behaviour, code, sms, to)

    def find(self, message_id: str) -> Sms | None:
        """A message that was taken, by its id."""
        return next((sms for sms in self.messages if sms.id == message_id), None)

    def clear(self) -> None:
        """Forgets every message and starts the counts again."""
        self.messages.clear()
        self.counts = Counts()
        self._seen.clear()
        self._tries.clear()

    def stats(self) -> dict[str, Any]:
        """The counts by name, and the balance."""
        return {
            **{_camel(name): value for name, value in asdict(self.counts).items()},
            "balance": f"KES {self.balance:.4f}",
        }

    def _behaviour(self, to: str, sender: str, text: str) -> Behaviour:
        if self._is_over_rate():
            self.counts.throttled += 1
            return replace(NORMAL, http_status=429, takes=False)
        behaviour = self.fault or behaviour_of(to.removeprefix("+"), text)
        if behaviour.times is None:
            return behaviour
        key = (to, sender, text)
        met = self._tries.pop(key, 0)
        if met == behaviour.times:
            return NORMAL
        self._tries[key] = met + 1
        if len(self._tries) > _TRIES_REMEMBERED:
            self._tries.popitem(last=False)
        self.counts.throttled += 1
        return behaviour

    def _is_over_rate(self) -> bool:
        if not self._settings.rate_per_s:
            return False
        second = int(self._clock())
        self._second = (second, self._second[1] + 1 if self._second[0] == second else 1)
        return self._second[1] > self._settings.rate_per_s

    def _remember(self, sms: Sms) -> None:
        self.balance -= sms.cost
        self.counts.taken += 1
        self.messages.append(sms)
        key = hash((sms.to, sms.sender, sms.text))
        if key in self._seen:
            self.counts.repeated += 1
        else:
            self.counts.unique += 1
            self._seen[key] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        if self._journal.is_on:
            self._journal.add(sms.as_json())
            self._journal.flush()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
