"""How the state of an entry answers a send or a resend: HTTP status, outcome word, sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway_http.shared.rest_instants import instant
from tukupay.sms.messaging.v1 import messaging_pb2

_PENDING = {
    messaging_pb2.DELIVERY_STATE_READY: "SMS queued for sending.",
    messaging_pb2.DELIVERY_STATE_SUBMITTING: "SMS submitted; the carrier's answer is awaited.",
    messaging_pb2.DELIVERY_STATE_UNKNOWN: (
        "SMS submitted; the carrier's answer did not come, and a delivery report may still settle it."
    ),
}
_FAILED = {
    messaging_pb2.DELIVERY_STATE_REFUSED: "the carrier refused it",
    messaging_pb2.DELIVERY_STATE_UNDELIVERED: "the carrier reported it undeliverable",
    messaging_pb2.DELIVERY_STATE_EXPIRED: "its time ran out",
    messaging_pb2.DELIVERY_STATE_CANCELLED: "it was cancelled",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The parts of an answer that follow from the entry's state."""

    http_status: int
    status: Literal["success", "failed"]
    message: str


_SENT = Outcome(200, "success", "SMS sent successfully.")
_RESENT = Outcome(200, "success", "SMS resent successfully.")


def of_send(entry: messaging_pb2.OutboxEntry) -> Outcome:
    """The answer to a send, the first one and every replay."""
    if entry.status == messaging_pb2.SMS_STATUS_SENT:
        return _SENT
    return _open_or_failed(entry, "SMS was not sent")


def of_resend(entry: messaging_pb2.OutboxEntry) -> Outcome:
    """The answer to a resend."""
    if entry.status == messaging_pb2.SMS_STATUS_SENT:
        return _RESENT
    return _open_or_failed(entry, "SMS was not resent")


def _open_or_failed(entry: messaging_pb2.OutboxEntry, failed: str) -> Outcome:
    if entry.status == messaging_pb2.SMS_STATUS_PENDING:
        return Outcome(202, "success", _pending_message(entry))
    reason = entry.error_details or _FAILED.get(entry.delivery_state, "it failed")
    return Outcome(200, "failed", f"{failed}: {reason.rstrip('.')}.")


def _pending_message(entry: messaging_pb2.OutboxEntry) -> str:
    if entry.delivery_state == messaging_pb2.DELIVERY_STATE_SCHEDULED and entry.HasField("scheduled_time"):
        due = instant(entry.scheduled_time).isoformat().replace("+00:00", "Z")
        return f"SMS scheduled for {due}."
    return _PENDING.get(entry.delivery_state, "SMS queued for sending.")
