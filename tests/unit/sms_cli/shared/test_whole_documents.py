"""Documents for programs are printed whole, or not at all, and an exit code says why."""

from __future__ import annotations

import json
import socket
from decimal import Decimal
from pathlib import Path

import pytest

from sms_cli.shared.kes_amounts import parse_kes_cell
from sms_cli.shared.report_files import RowFile, whole_output
from tests.system.forked_commands import COLUMNS, forked_commands

PERIOD = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z")


def test_a_document_is_printed_when_all_of_it_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with whole_output() as file:
        rows = RowFile(file, ["day"], as_json=True)
        rows.write([{"day": "2026-01-31"}])
        assert capsys.readouterr().out == ""
        rows.end()
    assert json.loads(capsys.readouterr().out) == [{"day": "2026-01-31"}]


def test_a_document_that_fails_half_way_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with whole_output() as file:
            RowFile(file, ["day"], as_json=True).write([{"day": "2026-01-31"}])
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - whatever it is
        fail()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("reports", "reconcile", "--carrier", "smpp", "--invoice", "invoice.csv"), 2),
        (("reports", "costs", "--by", "day"), 1),
        (("reports", "messages"), 1),
        (("costs", "audit"), 1),
    ],
)
def test_a_service_that_is_away_leaves_no_half_document(command: tuple[str, ...], code: int, tmp_path: Path) -> None:
    invoice = tmp_path / "invoice.csv"
    invoice.write_text("carrierMessageId\nA\n")
    arguments = [str(invoice) if word == invoice.name else word for word in command]
    # Bound and not listening: nobody answers there, and nobody else can.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        environment = {
            "TUKUPAY_HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "COLUMNS": COLUMNS,
            "MESSAGING_GRPC_ADDRESS": f"127.0.0.1:{nobody.getsockname()[1]}",
        }
        outcome = forked_commands().run((*arguments, *PERIOD, "--json"), environment)
    assert (outcome.returncode, outcome.stdout) == (code, ""), outcome.stderr
    assert "messaging does not answer" in outcome.stderr


@pytest.mark.parametrize("text", ["0.8", "KES 0.8000", "kes0.8", " KES  0.80 "])
def test_an_amount_in_a_file_may_name_its_currency(text: str) -> None:
    assert parse_kes_cell(text) == Decimal("0.8")


@pytest.mark.parametrize("text", ["0,8", "KES 1,500", "-0,40"])
def test_a_decimal_comma_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="has a decimal comma; write it with a point"):
        parse_kes_cell(text)


@pytest.mark.parametrize("text", ["USD 0.8", "KES", "1.500,00", "0.8 KES"])
def test_what_is_no_amount_of_kes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount in KES"):
        parse_kes_cell(text)
