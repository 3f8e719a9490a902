"""The settings of a local system, and whether its ports can be had."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from service_kit.settings import Address, SettingsError, load
from service_kit.tls.tls_settings import TlsFiles
from sms_cli.local.free_addresses import check_free
from sms_cli.local.system import service_environment
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import LocalSettings, UpSettings, client_settings, write_running_file


def database_url(name: str) -> str:
    return f"postgresql:///{name}"


def test_without_settings_everything_has_its_documented_address() -> None:
    settings = load(LocalSettings, {})
    assert {name: str(address) for name, address in settings.listening().items()} == {
        "PRICING_GRPC_ADDRESS": "127.0.0.1:50051",
        "MESSAGING_GRPC_ADDRESS": "127.0.0.1:50052",
        "GATEWAY_HTTP_ADDRESS": "127.0.0.1:8080",
        "SANDBOX_SMPP_ADDRESS": "127.0.0.1:2775",
        "SANDBOX_HTTP_ADDRESS": "127.0.0.1:8090",
        "PRICING_METRICS_ADDRESS": "127.0.0.1:9151",
        "MESSAGING_METRICS_ADDRESS": "127.0.0.1:9152",
        "GATEWAY_METRICS_ADDRESS": "127.0.0.1:9153",
    }
    assert settings.home == Path(".tukupay")


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "127.0.0.1:0", "8080", "127.0.0.1:http"])
def test_an_address_that_cannot_serve_locally_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_HTTP_ADDRESS"):
        load(UpSettings, {"GATEWAY_HTTP_ADDRESS": address})


def test_commands_call_other_machines_over_tls_only(tmp_path: Path) -> None:
    environ = {"TUKUPAY_HOME": str(tmp_path), "MESSAGING_GRPC_ADDRESS": "messaging.sms:50052"}
    with pytest.raises(SettingsError, match=r"MESSAGING_GRPC_ADDRESS: .* set TUKUPAY_TLS_CA_FILE"):
        client_settings(environ)
    assert client_settings({**environ, "TUKUPAY_TLS": "proxy"}).messaging.host == "messaging.sms"
    assert client_settings({**environ, "TUKUPAY_TLS_CA_FILE": "/ca.crt"}).tls.files == TlsFiles(
        authorities=Path("/ca.crt")
    )


def test_the_gateway_is_found_over_https_where_commands_speak_tls(tmp_path: Path) -> None:
    environ = {"TUKUPAY_HOME": str(tmp_path)}
    assert client_settings(environ).gateway_url == "http://127.0.0.1:8080"
    assert client_settings({**environ, "TUKUPAY_TLS_CA_FILE": "/ca.crt"}).gateway_url == "https://127.0.0.1:8080"


def test_the_services_are_told_where_the_others_are() -> None:
    settings = load(LocalSettings, {"PRICING_GRPC_ADDRESS": "127.0.0.1:6001", "SANDBOX_SMPP_ADDRESS": "127.0.0.1:6002"})
    environment = service_environment(settings, {}, database_url)
    assert environment["PRICING_GRPC_ADDRESS"] == "127.0.0.1:6001"
    assert environment["MESSAGING_PRICING_ADDRESS"] == "127.0.0.1:6001"
    assert environment["GATEWAY_PRICING_ADDRESS"] == "127.0.0.1:6001"
    assert (environment["SMPP_HOST"], environment["SMPP_PORT"]) == ("127.0.0.1", "6002")
    assert environment["PRICING_DATABASE_URL"] == "postgresql:///pricing"
    assert environment["MESSAGING_DATABASE_URL"] == "postgresql:///messaging"


def test_what_the_user_set_goes_before_what_we_would_set() -> None:
    environ = {"SMPP_WINDOW": "7", "MESSAGING_DATABASE_URL": "postgresql://elsewhere/m", "SMPP_HOST": ""}
    environment = service_environment(load(LocalSettings, environ), environ, database_url)
    assert environment["SMPP_WINDOW"] == "7"
    assert environment["MESSAGING_DATABASE_URL"] == "postgresql://elsewhere/m"
    assert environment["SMPP_HOST"] == "127.0.0.1"


def test_a_direct_url_goes_with_the_database_that_it_leads_to() -> None:
    direct = {
        "MESSAGING_DATABASE_DIRECT_URL": "postgresql://server/m",
        "PRICING_DATABASE_DIRECT_URL": "postgresql://server/p",
    }
    environ = {"MESSAGING_DATABASE_URL": "postgresql://pooler/m", **direct}
    environment = service_environment(load(LocalSettings, environ), environ, database_url)
    assert environment["MESSAGING_DATABASE_DIRECT_URL"] == "postgresql://server/m"
    # Our own database is not at the server that this names: its tables would be changed instead of ours.
    assert "PRICING_DATABASE_DIRECT_URL" not in environment


def test_other_commands_find_a_system_that_runs_on_other_ports(tmp_path: Path) -> None:
    write_running_file(tmp_path / "running.env", {"GATEWAY_HTTP_ADDRESS": "127.0.0.1:6003"})
    environ = {"TUKUPAY_HOME": str(tmp_path)}
    assert client_settings(environ).gateway == Address("127.0.0.1", 6003)
    assert client_settings({**environ, "GATEWAY_HTTP_ADDRESS": "127.0.0.1:6004"}).gateway.port == 6004
    assert client_settings({"TUKUPAY_HOME": str(tmp_path / "none")}).gateway.port == 8080


def test_a_taken_port_is_named_with_its_setting_and_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(CommandError) as caught:
            check_free({"GATEWAY_HTTP_ADDRESS": Address("127.0.0.1", port)})
    assert str(caught.value) == f"127.0.0.1:{port} (GATEWAY_HTTP_ADDRESS) is taken by another program"
    assert "GATEWAY_HTTP_ADDRESS=127.0.0.1:" in caught.value.remedy
    check_free({"GATEWAY_HTTP_ADDRESS": Address("127.0.0.1", port)})


def test_every_taken_port_is_named_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        taken = {
            "PRICING_GRPC_ADDRESS": Address("127.0.0.1", first.getsockname()[1]),
            "MESSAGING_GRPC_ADDRESS": Address("127.0.0.1", second.getsockname()[1]),
        }
        with pytest.raises(CommandError, match=r"PRICING_GRPC_ADDRESS.*MESSAGING_GRPC_ADDRESS"):
            check_free(taken)


def test_two_parts_on_one_port_are_refused() -> None:
    same = Address("127.0.0.1", 6005)
    with pytest.raises(CommandError, match="B and A are both"):
        check_free({"A": same, "B": same})
