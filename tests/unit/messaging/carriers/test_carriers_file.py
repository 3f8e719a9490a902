"""Carriers and routes from a file, and every mistake in one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from messaging_service.carriers.domain.routing import TEST_ROUTE
from messaging_service.carriers.files.carriers_file import CarrierPlan, read_carriers_file
from messaging_service.carriers.smpp.smpp_settings import ReceiptsOfParts, SmppSettings
from messaging_service.shared.domain.states import Priority
from service_kit.access.principal import AccessMode
from service_kit.settings import SettingsError

CARRIER = """
[[carriers]]
name = "safaricom"
kind = "smpp"
host = "smsc.example"
port = 2775
system_id = "tukupay"
password_env = "SAFARICOM_PASSWORD"
window = 50
"""
SECOND = CARRIER.replace("safaricom", "airtel").replace("SAFARICOM", "AIRTEL")
ENVIRON = {"SAFARICOM_PASSWORD": "s3cret", "AIRTEL_PASSWORD": "other"}
EXAMPLE = Path(__file__).parents[4] / "docs/examples/carriers.toml"


def read(tmp_path: Path, text: str, environ: dict[str, str] = ENVIRON) -> CarrierPlan:
    file = tmp_path / "carriers.toml"
    file.write_text(text)
    return read_carriers_file(file, environ)


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


def test_a_carrier_takes_its_settings_from_the_file_and_its_secrets_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from a file\n")
    second = SECOND.replace('password_env = "AIRTEL_PASSWORD"', f'password_file = "{tmp_path}/password"')
    first, other = read(tmp_path, CARRIER + second).carriers
    assert first.name == "safaricom"
    assert first.settings == SmppSettings("smsc.example", 2775, "tukupay", "s3cret", window=50)
    assert isinstance(other.settings, SmppSettings)
    assert other.settings.password == "from a file"


def test_a_carrier_says_what_its_receipts_mean(tmp_path: Path) -> None:
    text = CARRIER + 'receipts = "first"\nreceipts_without_type = true\nreceipt_states = { "0" = "delivered" }\n'
    (carrier,) = read(tmp_path, text).carriers
    assert isinstance(carrier.settings, SmppSettings)
    assert carrier.settings.receipts is ReceiptsOfParts.FIRST
    assert carrier.settings.receipts_without_type
    assert carrier.settings.receipt_states == {"0": "delivered"}


def test_without_routes_every_carrier_takes_every_message(tmp_path: Path) -> None:
    plan = read(tmp_path, CARRIER + SECOND)
    assert [leg.carrier for leg in plan.routes.of("+254712345678", "X", Priority.NORMAL).legs] == [
        "safaricom",
        "airtel",
    ]


def test_a_route_takes_prefixes_networks_senders_priorities_weights_and_ranks(tmp_path: Path) -> None:
    text = f"""{CARRIER}{SECOND}
[networks]
airtel = ["+25473", "+25478"]

[[routes]]
name = "airtel"
networks = ["airtel"]
prefixes = ["+25410"]
senders = ["TUKUPAY"]
priorities = ["high"]
carriers = [{{ name = "airtel", weight = 3 }}, {{ name = "safaricom", rank = 1 }}]
"""
    routes = read(tmp_path, text).routes
    for number in ("+254733123456", "+254781123456", "+254101123456"):
        route = routes.of(number, "TUKUPAY", Priority.HIGH)
        assert route.name == "airtel"
        assert [(leg.carrier, leg.weight, leg.rank) for leg in route.legs] == [("airtel", 3, 0), ("safaricom", 1, 1)]
    assert routes.of("+254733123456", "TUKUPAY", Priority.NORMAL).name == "default"
    assert routes.of("+254712345678", "TUKUPAY", Priority.HIGH).name == "default"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["carriers: give at least one"]),
        ("carriers = 3", ["carriers: give at least one"]),
        ("nonsense", ["is not TOML"]),
        (CARRIER + "[extra]\n", ["extra: is no table"]),
        (CARRIER.replace('"smpp"', '"pigeon"'), ["safaricom: kind is 'pigeon'"]),
        (
            CARRIER + 'receipt_states = { "0" = "arrived" }\n',
            ["safaricom: receipt_states says that '0' means 'arrived': use one of enroute, delivered, "],
        ),
        (CARRIER + 'receipts = "last"\n', ["safaricom: receipts is 'last': use one of all, first"]),
        (CARRIER + "receipts = 1\n", ["safaricom: receipts is 1: use one of all, first"]),
        (CARRIER.replace('name = "safaricom"', ""), ["carriers 1: name is missing"]),
        (CARRIER + CARRIER, ["two carriers have this name"]),
        (CARRIER + "windw = 3\n", ["safaricom: windw is no setting", "window"]),
        (CARRIER.replace("window = 50", "window = 0"), ["safaricom: window is 0"]),
        (CARRIER.replace("port = 2775", 'port = "x"'), ["safaricom: Expected `int`"]),
        (CARRIER.replace("host =", "#"), ["safaricom:", "host"]),
        (CARRIER.replace("SAFARICOM_PASSWORD", "NOT_SET"), ["the variable NOT_SET"]),
        (CARRIER.replace('password_env = "SAFARICOM_PASSWORD"', 'password = "plain"'), ["password is a secret"]),
        (
            CARRIER.replace('password_env = "SAFARICOM_PASSWORD"', 'password_file = "/nowhere/x"'),
            ["password_file names cannot be read"],
        ),
        (
            CARRIER + '[[routes]]\nname = "r"\ncarriers = [{ name = "mtn" }]\n',
            ["routes 'r': there is no carrier 'mtn'"],
        ),
        (
            CARRIER + '[[routes]]\nname = "r"\nnetworks = ["x"]\ncarriers = [{ name = "safaricom" }]\n',
            ["there is no network 'x'", "would take every number"],
        ),
        (
            CARRIER + '[[routes]]\nname = "r"\nprefixes = ["07"]\ncarriers = [{ name = "safaricom", weight = 0 }]\n',
            ["the prefix '07'", "weight of 'safaricom' is 0"],
        ),
        (CARRIER + '[[routes]]\nname = "r"\ncarriers = []\n', ["routes without a carrier: r"]),
        (CARRIER + '[[routes]]\nname = "r"\nwhat = 1\ncarriers = []\n', ["what"]),
        (CARRIER + "[breaker]\nfailures = 0\n", ["breaker: failures is 0"]),
    ],
)
def test_every_mistake_is_named_with_its_place(tmp_path: Path, text: str, faults: list[str]) -> None:
    said = problems(tmp_path, text)
    for fault in faults:
        assert fault in said


def test_several_mistakes_are_named_at_once(tmp_path: Path) -> None:
    said = problems(tmp_path, CARRIER.replace("window = 50", "window = 0") + SECOND.replace('"smpp"', '"fax"'))
    assert "safaricom: window is 0" in said
    assert "airtel: kind is 'fax'" in said


def test_a_value_of_another_type_hides_no_other_mistake(tmp_path: Path) -> None:
    wrong = 'receipts = "last"\ntls = "yes"\ncountry_code = "+254"\n'
    said = problems(tmp_path, CARRIER.replace("window = 50", "window = 0") + wrong)
    for name in ("receipts is 'last'", "tls", "window is 0", "country_code is '+254'"):
        assert name in said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_carriers_file(tmp_path / "none.toml", {})


def test_the_example_in_the_documents_is_right() -> None:
    names = ("SAFARICOM_PASSWORD", "AIRTEL_PASSWORD", "AFRICASTALKING_API_KEY", "SANDBOX_PASSWORD")
    environ = {name: name.lower() for name in names}
    plan = read_carriers_file(EXAMPLE, environ)
    assert [carrier.name for carrier in plan.carriers] == ["safaricom", "airtel", "africastalking", "sandbox"]
    assert [carrier.name for carrier in plan.carriers if carrier.is_sandbox] == ["sandbox"]
    assert "api_key" not in repr(plan.carriers[2])
    assert plan.routes.of("+254733123456", "TUKUPAY", Priority.HIGH).name != "default"


SANDBOX = CARRIER.replace("safaricom", "sandbox") + "sandbox = true\n"


def test_a_sandbox_takes_test_messages_alone_beside_a_real_carrier(tmp_path: Path) -> None:
    plan = read(tmp_path, CARRIER + SANDBOX)
    assert [leg.carrier for leg in plan.routes.of("+254712345678", "X", Priority.NORMAL).legs] == ["safaricom"]
    assert plan.routes.test is not None
    assert (plan.routes.test.name, [leg.carrier for leg in plan.routes.test.legs]) == (TEST_ROUTE, ["sandbox"])
    assert [route.mode for route in plan.routes] == [AccessMode.LIVE, AccessMode.TEST]


def test_without_a_sandbox_there_is_no_route_for_test_messages(tmp_path: Path) -> None:
    plan = read(tmp_path, CARRIER + SECOND + "sandbox = false\n")
    assert plan.routes.test is None
    assert [route.mode for route in plan.routes] == [AccessMode.LIVE]


def test_where_all_are_sandboxes_they_take_live_messages_as_well(tmp_path: Path) -> None:
    route = '[[routes]]\nname = "all"\ncarriers = [{ name = "sandbox" }]\n'
    plan = read(tmp_path, SANDBOX + route)
    assert plan.routes.of("+254712345678", "X", Priority.NORMAL).name == "all"
    assert [leg.carrier for leg in read(tmp_path, SANDBOX).routes.of("+254712345678", "X", Priority.NORMAL).legs] == [
        "sandbox"
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            CARRIER + SANDBOX + '[[routes]]\nname = "otp"\ncarriers = [{ name = "sandbox" }]\n',
            "routes 'otp': 'sandbox' is a sandbox carrier",
        ),
        (
            CARRIER + SANDBOX + f'[[routes]]\nname = "{TEST_ROUTE}"\ncarriers = [{{ name = "safaricom" }}]\n',
            "is that of the route of test messages",
        ),
        (SANDBOX.replace("true", '"yes"'), "sandbox: sandbox is 'yes'"),
    ],
)
def test_a_sandbox_never_takes_live_messages_by_mistake(tmp_path: Path, text: str, fault: str) -> None:
    assert fault in problems(tmp_path, text)


def test_a_service_with_a_wrong_file_ends_with_its_mistakes_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "carriers.toml"
    file.write_text(CARRIER.replace("window = 50", "window = 0"))
    ended = subprocess.run(
        [sys.executable, "-m", "messaging_service"],
        env={
            **ENVIRON,
            "MESSAGING_CARRIERS_FILE": str(file),
            "MESSAGING_DATABASE_URL": "postgresql://nobody@127.0.0.1/no",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "safaricom: window is 0" in ended.stderr
    assert "Traceback" not in ended.stderr
