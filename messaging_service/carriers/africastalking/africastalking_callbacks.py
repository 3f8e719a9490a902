"""Reads what the carrier posts to us: delivery reports, opt-outs, and messages from phones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from messaging_service.carriers.africastalking.results import REPORTED_FAILURES
from messaging_service.carriers.callback_reader import DeliveryReport, OptOut, PhoneMessage
from messaging_service.carriers.domain.submission import DeliveryReceipt, ReceiptState
from messaging_service.carriers.template.receipt_words import WORD, UnknownWords, states_of
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem

STATES: Final = MappingProxyType(
    {
        "success": ReceiptState.DELIVERED,
        "failed": ReceiptState.UNDELIVERABLE,
        "absentsubscriber": ReceiptState.UNDELIVERABLE,
        "rejected": ReceiptState.REJECTED,
        "expired": ReceiptState.EXPIRED,
        "sent": ReceiptState.ENROUTE,
        "submitted": ReceiptState.ENROUTE,
        "buffered": ReceiptState.ENROUTE,
    }
)
"""The carrier's words, in lower case. The vocabulary is open: another word is kept, decides nothing, and is
logged once."""

NETWORKS: Final = MappingProxyType({"63902": "Safaricom", "63903": "Airtel", "63907": "Telkom", "63999": "Equitel"})


class AfricasTalkingCallbacks:
    """Turns posts into receipts and inbound messages of one carrier."""

    def __init__(
        self,
        name: str,
        receipt_states: Mapping[str, str] = MappingProxyType({}),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`receipt_states` as in the settings."""
        self._name = name
        self._now = now
        self._states = {word.upper(): state for word, state in STATES.items()} | states_of(receipt_states)
        self._unknown_words = UnknownWords(name, "africastalking.report_state_unknown")

    def receipt(self, report: DeliveryReport) -> DeliveryReceipt:
        """What a delivery report says; it speaks of all parts of its message."""
        facts = [f"status {report.status}"]
        if report.network_code:
            facts.append(f"network {report.network_code} {NETWORKS.get(report.network_code, '')}".rstrip())
        if report.failure_reason:
            facts.append(f"reason {report.failure_reason}")
        if report.retry_count is not None:
            facts.append(f"retries {report.retry_count}")
        code = _failure_code(report)
        return DeliveryReceipt(
            carrier=self._name,
            carrier_message_id=report.carrier_message_id,
            state=self._state(report.status.strip(), code),
            recipient=phone_of(report.phone_number),
            sender_id=None,
            network_error=_network_error(report),
            done_at=None,
            raw=", ".join(facts),
            network=report.network_code or None,
            speaks_for_all_parts=True,
            failure_code=code,
        )

    def _state(self, word: str, code: str | None) -> ReceiptState:
        state = self._states.get(word.upper())
        if state is None and code is not None:
            return ReceiptState.REJECTED
        if state is None and WORD.fullmatch(word):
            self._unknown_words.found(word)
        return state or ReceiptState.UNKNOWN

    def message(self, message: PhoneMessage) -> InboundMessage | None:
        """What a phone wrote; None when the number is none."""
        phone = phone_of(message.phone_number)
        if phone is None:
            return None
        return InboundMessage(self._name, phone, message.sent_to, message.text, False, self._now())

    def opt_out(self, opt_out: OptOut) -> InboundMessage | None:
        """A phone's wish to hear no more from a sender id; None when the number is none."""
        phone = phone_of(opt_out.phone_number)
        if phone is None:
            return None
        return InboundMessage(self._name, phone, opt_out.sender_id, "", True, self._now())


def phone_of(number: str) -> str | None:
    """A number of the carrier as E.164 with `+`; None when no numbering plan has it.

    A `+` that a form did not encode arrives as a blank.
    """
    international = "+" + number.strip().removeprefix("+").removeprefix("00")
    return international if phone_number_problem(international) is None else None


def _failure_code(report: DeliveryReport) -> str | None:
    """The code of a failure that no further try mends; None for every other."""
    words = (report.failure_reason, report.status)
    return next((code for word in words if (code := REPORTED_FAILURES.get(word.strip().lower()))), None)


def _network_error(report: DeliveryReport) -> str | None:
    if report.failure_reason:
        return report.failure_reason
    return "AbsentSubscriber" if report.status.strip().lower() == "absentsubscriber" else None
