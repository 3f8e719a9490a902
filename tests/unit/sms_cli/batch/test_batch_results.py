"""The results of a batch: one line for each answer, and totals that are exact."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from messaging_service.sending.domain.validation import SendDraft
from sms_cli.batch.batch_files import BatchRow
from sms_cli.batch.batch_results import COLUMNS, campaign_of, open_results
from sms_cli.shared.command_error import CommandError
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb


def row(line: int) -> BatchRow:
    return BatchRow(line, SendDraft("user1", "+254712345678", "Hello, you", "TUKUPAY", message_id=f"july:{line}"))


def response(billing: pb.BillingState.ValueType, status: pb.SmsStatus.ValueType, **more: object) -> pb.SendSmsResponse:
    entry = pb.OutboxEntry(
        outbox_id="outbox_1", status=status, billing_state=billing, sms_units_used=3, total_cost_micros=700_001
    )
    if status == pb.SMS_STATUS_FAILED:
        entry.error_code, entry.error_details = "REFUSED", "no, never"
    return pb.SendSmsResponse(entry=entry, replayed=bool(more.get("replayed")))


def test_each_line_says_what_became_of_it_and_nothing_private(tmp_path: Path) -> None:
    path = tmp_path / "x.results.csv"
    with open_results(path, "july") as results:
        results.recorded(row(3), response(pb.BILLING_STATE_CHARGED, pb.SMS_STATUS_SENT))
        results.recorded(row(2), response(pb.BILLING_STATE_HELD, pb.SMS_STATUS_PENDING, replayed=True))
        results.recorded(row(4), response(pb.BILLING_STATE_RELEASED, pb.SMS_STATUS_FAILED))
        results.refused(row(5), errors_pb2.ItemError(code=6, reason="MESSAGE_ID_REUSED", message="another"))
        results.flush()
        text = path.read_text()
    assert list(csv.reader(text.splitlines())) == [
        list(COLUMNS),
        ["july", "3", "july:3", "outbox_1", "sent", "3", "0.700001", "no", ""],
        ["july", "2", "july:2", "outbox_1", "pending", "3", "0.700001", "yes", ""],
        ["july", "4", "july:4", "outbox_1", "failed", "3", "0", "no", "REFUSED: no, never"],
        ["july", "5", "july:5", "", "error", "", "", "", "MESSAGE_ID_REUSED: another"],
    ]
    assert "712345678" not in text
    assert "Hello" not in text
    totals = results.totals
    assert totals.statuses == {"sent": 1, "pending": 1, "failed": 1, "error": 1}
    assert (totals.lines, totals.replayed, totals.cost_micros, totals.earlier_cost_micros) == (4, 1, 700_001, 700_001)
    assert totals.errors == {"REFUSED": 1, "MESSAGE_ID_REUSED": 1}
    assert campaign_of(path) == "july"


def test_a_file_that_is_something_else_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "x.results.csv"
    assert campaign_of(path) is None
    path.write_text("")
    assert campaign_of(path) is None
    path.write_text("recipient,name\n+254712345678,Amina\n")
    with pytest.raises(CommandError, match="holds no results of a batch"):
        campaign_of(path)
    with pytest.raises(CommandError, match="cannot be written"), open_results(tmp_path, "july"):
        raise AssertionError("a folder was written to")
