"""The state of an entry decides the HTTP status, the outcome word and the sentence."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway_http.shared import outbox_entry
from gateway_http.shared.send_outcomes import of_resend, of_send
from gateway_http.sms import sms_models
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

SENT, PENDING, FAILED = pb.SMS_STATUS_SENT, pb.SMS_STATUS_PENDING, pb.SMS_STATUS_FAILED


@pytest.mark.parametrize(
    ("status", "state", "http_status", "word", "sentence"),
    [
        (SENT, pb.DELIVERY_STATE_ACCEPTED, 200, "success", "SMS sent successfully."),
        (SENT, pb.DELIVERY_STATE_DELIVERED, 200, "success", "SMS sent successfully."),
        (PENDING, pb.DELIVERY_STATE_SCHEDULED, 202, "success", "SMS scheduled for 2024-12-20T12:00:00Z."),
        (PENDING, pb.DELIVERY_STATE_READY, 202, "success", "SMS queued for sending."),
        (PENDING, pb.DELIVERY_STATE_SUBMITTING, 202, "success", "SMS submitted; the carrier's answer is awaited."),
        (PENDING, pb.DELIVERY_STATE_UNKNOWN, 202, "success", "SMS submitted; the carrier's answer did not come"),
        (FAILED, pb.DELIVERY_STATE_REFUSED, 200, "failed", "SMS was not sent: the carrier refused it."),
        (FAILED, pb.DELIVERY_STATE_UNDELIVERED, 200, "failed", "SMS was not sent: the carrier reported it"),
        (FAILED, pb.DELIVERY_STATE_EXPIRED, 200, "failed", "SMS was not sent: its time ran out."),
        (FAILED, pb.DELIVERY_STATE_CANCELLED, 200, "failed", "SMS was not sent: it was cancelled."),
    ],
)
def test_every_state_has_its_answer(
    status: pb.SmsStatus.ValueType, state: pb.DeliveryState.ValueType, http_status: int, word: str, sentence: str
) -> None:
    entry = pb.OutboxEntry(status=status, delivery_state=state, scheduled_time=Timestamp(seconds=1_734_696_000))
    outcome = of_send(entry)
    assert (outcome.http_status, outcome.status) == (http_status, word)
    assert outcome.message.startswith(sentence)
    assert (of_resend(entry).http_status, of_resend(entry).status) == (http_status, word)


def test_a_failure_gives_its_reason() -> None:
    entry = pb.OutboxEntry(status=FAILED, error_details="the number is not in use; check it.")
    assert of_send(entry).message == "SMS was not sent: the number is not in use; check it."
    assert of_resend(entry).message == "SMS was not resent: the number is not in use; check it."


def test_a_resend_that_was_sent_says_so() -> None:
    assert of_resend(pb.OutboxEntry(status=SENT)).message == "SMS resent successfully."


def test_every_state_and_status_of_the_wire_has_a_word() -> None:
    assert set(outbox_entry.STATE_NAMES) == set(pb.DeliveryState.values()) - {0}
    assert set(outbox_entry.STATUS_NAMES) == set(pb.SmsStatus.values()) - {0}
    assert set(sms_models._PRIORITIES.values()) == set(pb.Priority.values())
