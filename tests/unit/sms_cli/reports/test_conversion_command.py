"""What `reports conversion` prints."""

from __future__ import annotations

import json

import pytest

from sms_cli.reports import conversion_command
from tukupay.sms.messaging.v1 import feedback_pb2 as pb

FOUND = pb.GetConversionResponse(
    blocks=[pb.BlockConversion(block="+254712345", sent=7, refused=23, verified=1, not_verified=5)],
    total=pb.BlockConversion(sent=1_207, refused=23, verified=1, not_verified=5),
)


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion_command, "ask_messaging", lambda _stub, _call: FOUND)


def test_blocks_are_shown_with_the_share_of_codes_that_came_back(capsys: pytest.CaptureFixture[str]) -> None:
    conversion_command.conversion("shop")
    shown = capsys.readouterr().out
    assert "+254712345" in shown
    assert "16.7%" in shown
    assert "1,207" in shown


def test_json_has_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    conversion_command.conversion("shop", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["blocks"][0] == {
        "block": "+254712345",
        "sent": 7,
        "refused": 23,
        "verified": 1,
        "notVerified": 5,
        "conversion": 0.1667,
        "suspectedAt": None,
    }
