"""The command line: what it prints, and what it says when something is wrong."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sms_cli.local.first_sms import curl_of_first_sms
from sms_cli.outbox.send_one import advice, entry_record
from sms_cli.shared.kes_amounts import kes, micros, parse_kes
from sms_cli.shared.level_names import parse_level
from sms_cli.shared.terminal_instants import parse_instant
from tests.system.forked_commands import COLUMNS, forked_commands
from tukupay.sms.messaging.v1 import messaging_pb2 as pb


def run(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {"TUKUPAY_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": COLUMNS, **environ}
    return forked_commands().run(arguments, environment)


@pytest.mark.parametrize(("text", "expected"), [("0.6", 600_000), ("1", 1_000_000), ("0.000001", 1)])
def test_a_price_is_exact(text: str, expected: int) -> None:
    assert micros(parse_kes(text)) == expected
    assert Decimal(kes(expected)) == Decimal(text)


@pytest.mark.parametrize(
    "text", ["cheap", "0.0000001", "NaN", "Infinity", "", "1e30", "0,6", "1_0", "٠.٧", "0x1", " 1"]
)
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an amount in KES|decimal places"):
        parse_kes(text)


def test_a_price_that_is_not_a_number_is_not_said_to_be_too_precise() -> None:
    with pytest.raises(ValueError, match="'NaN' is not an amount in KES"):
        parse_kes("NaN")


def test_amounts_are_shown_without_trailing_zeros() -> None:
    assert [kes(600_000), kes(1_000_000), kes(10_000_000), kes(0), kes(-500_000)] == ["0.6", "1", "10", "0", "-0.5"]


def test_an_instant_needs_its_offset() -> None:
    assert parse_instant("2026-01-31T11:00:00+03:00") == datetime(2026, 1, 31, 8, tzinfo=UTC)
    with pytest.raises(ValueError, match="no offset"):
        parse_instant("2026-01-31T11:00:00")
    with pytest.raises(ValueError, match="not a time"):
        parse_instant("tomorrow")
    with pytest.raises(ValueError, match="outside the years 1 to 9999"):
        parse_instant("0001-01-01T00:00:00+03:00")
    with pytest.raises(ValueError, match="outside the years 1 to 9999"):
        parse_instant("9999-12-31T23:59:59-03:00")


def test_a_level_is_known_by_its_contract_name_in_any_case() -> None:
    assert parse_level("specificcustomer") == parse_level("SpecificCustomer")
    with pytest.raises(ValueError, match="TukuPay, AppOwner, SpecificCustomer, DirectCustomer"):
        parse_level("VIP")


def test_the_printed_curl_is_a_command_with_the_documented_request() -> None:
    words = shlex.split(curl_of_first_sms("http://127.0.0.1:8080").replace("\\\n", " "))
    assert words[0] == "curl"
    assert "http://127.0.0.1:8080/api/sms/send" in words
    body = json.loads(words[words.index("-d") + 1])
    assert body["userId"] == "user123"
    assert body["recipientPhoneNumber"] == "+254712345678"
    assert "scheduleTimestamp" not in body


def test_the_printed_curl_shows_a_key_where_one_is_asked_for() -> None:
    words = shlex.split(curl_of_first_sms("https://127.0.0.1:8080", Path("ca.crt"), with_key=True).replace("\\\n", " "))
    assert "Authorization: Bearer $KEY" in words
    assert words[words.index("--cacert") + 1] == "ca.crt"


def test_an_entry_is_shown_without_what_was_not_set() -> None:
    entry = pb.OutboxEntry(
        outbox_id="outbox_1",
        status=pb.SMS_STATUS_SENT,
        delivery_state=pb.DELIVERY_STATE_ACCEPTED,
        unit_price_micros=600_000,
        total_cost_micros=1_200_000,
    )
    entry.created_time.FromDatetime(datetime(2026, 1, 31, 8, tzinfo=UTC))
    record = entry_record(entry)
    assert record["status"] == "sent"
    assert record["deliveryState"] == "accepted"
    assert record["totalCost"] == "1.2"
    assert record["createdAt"] == "2026-01-31T08:00:00.000Z"
    assert not {"sentAt", "errorCode", "carrier", "message"} & set(record)


@pytest.mark.parametrize(
    ("status", "state", "billing", "words"),
    [
        (pb.SMS_STATUS_SENT, pb.DELIVERY_STATE_ACCEPTED, pb.BILLING_STATE_CHARGED, "accepted"),
        (pb.SMS_STATUS_FAILED, pb.DELIVERY_STATE_REFUSED, pb.BILLING_STATE_RELEASED, "costs nothing"),
        (pb.SMS_STATUS_FAILED, pb.DELIVERY_STATE_UNDELIVERED, pb.BILLING_STATE_CHARGED, "was charged"),
        (pb.SMS_STATUS_PENDING, pb.DELIVERY_STATE_SCHEDULED, pb.BILLING_STATE_HELD, "waits"),
        (pb.SMS_STATUS_PENDING, pb.DELIVERY_STATE_UNKNOWN, pb.BILLING_STATE_HELD, "do not send it again"),
    ],
)
def test_every_outcome_says_what_to_do_next(
    status: pb.SmsStatus.ValueType, state: pb.DeliveryState.ValueType, billing: pb.BillingState.ValueType, words: str
) -> None:
    assert words in advice(pb.OutboxEntry(status=status, delivery_state=state, billing_state=billing))


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (["costs", "current", "TukuPay"], "PRICING_GRPC_ADDRESS"),
        (["send", "--to", "+254712345678", "--text", "hello"], "MESSAGING_GRPC_ADDRESS"),
        (["phone"], "SANDBOX_HTTP_ADDRESS"),
    ],
)
def test_a_service_that_is_down_is_named_with_its_address_and_a_remedy(
    arguments: list[str], variable: str, tmp_path: Path
) -> None:
    # Port 1 is privileged and not in use.
    outcome = run(*arguments, home=tmp_path, **{variable: "127.0.0.1:1"})
    assert outcome.returncode == 1
    assert "does not answer at 127.0.0.1:1" in outcome.stderr
    assert "tukupay-sms up" in outcome.stderr
    assert variable in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_status_names_every_part_that_is_down(tmp_path: Path) -> None:
    ports = {
        f"{name}_ADDRESS": f"127.0.0.1:{port}"
        for port, name in enumerate(("PRICING_GRPC", "MESSAGING_GRPC", "GATEWAY_HTTP", "SANDBOX_HTTP"), start=1)
    }
    outcome = run("status", "--json", home=tmp_path, **ports)
    assert outcome.returncode == 1
    parts = json.loads(outcome.stdout)
    assert [part["part"] for part in parts] == ["pricing", "sandbox", "messaging", "gateway"]
    assert not any(part["ready"] for part in parts)


def test_wrong_settings_are_all_named_at_once(tmp_path: Path) -> None:
    outcome = run("up", home=tmp_path, PRICING_GRPC_ADDRESS="nowhere", GATEWAY_HTTP_ADDRESS="0.0.0.0:80")
    assert outcome.returncode == 2
    assert "PRICING_GRPC_ADDRESS" in outcome.stderr
    assert "GATEWAY_HTTP_ADDRESS" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_migration_without_a_database_says_how_to_name_one(tmp_path: Path) -> None:
    outcome = run("migrate", "messaging", home=tmp_path)
    assert outcome.returncode == 1
    assert "MESSAGING_DATABASE_URL" in outcome.stderr


def test_a_migration_that_cannot_reach_its_database_says_so(tmp_path: Path) -> None:
    url = f"postgresql:///pricing?host={tmp_path}"
    outcome = run("migrate", "pricing", home=tmp_path, PRICING_DATABASE_URL=url)
    assert outcome.returncode == 1
    assert "the migration of pricing failed" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_with_only_the_stubs_installed_it_says_what_to_install(tmp_path: Path) -> None:
    # Only the standard library and the project itself, as without the extra.
    program = "import sys; sys.path.insert(0, sys.argv[1]); from sms_cli.__main__ import main; main()"
    root = str(Path(__file__).parents[3])
    outcome = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, root], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert outcome.returncode == 2
    assert "install tukupay-sms[server]" in outcome.stderr
    assert "Traceback" not in outcome.stderr
