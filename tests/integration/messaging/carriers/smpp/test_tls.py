"""TLS to the carrier, with certificates that are made for the test."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from sandbox_carriers.smpp import SandboxCarrier, SandboxSettings
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Send, until

PHONE = "+254712345678"


@dataclass(frozen=True)
class Certificates:
    """Files of one authority and what it signed."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the certificates of this test, is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for authority in ("ca", "other_ca"):
        openssl(
            folder, "req", "-x509", *key, "-subj", f"/CN={authority}", "-days", "2",
            "-keyout", f"{authority}_key.pem", "-out", f"{authority}.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
    for name, alternative in (("server", "DNS:smsc.example"), ("client", "DNS:tukupay.example")):
        extensions = folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\nauthorityKeyIdentifier=keyid\n")
        openssl(
            folder, "req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}_key.pem", "-out", f"{name}.csr"
        )  # fmt: skip
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca_key.pem", "-CAcreateserial",
            "-days", "2", "-extfile", extensions.name, "-out", f"{name}.pem",
        )  # fmt: skip
    return Certificates(folder)


@pytest.fixture
async def sandbox(certificates: Certificates) -> AsyncIterator[SandboxCarrier]:
    """A carrier that speaks TLS and wants to see a certificate of ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates.ca)
    settings = replace(SandboxSettings().on_free_ports(), receipt_delay_s=0.01)
    carrier = SandboxCarrier(settings, with_pages=False, tls=context)
    await carrier.start()
    yield carrier
    await carrier.stop()


@pytest.fixture
def good(certificates: Certificates) -> dict[str, Any]:
    return {
        "tls": True,
        "tls_ca_file": certificates.ca,
        "tls_cert_file": certificates.client,
        "tls_key_file": certificates.client_key,
        "tls_server_name": "smsc.example",
    }


async def test_messages_and_receipts_travel_over_tls(
    bound: Bound, send: Send, inbox: Inbox, good: dict[str, Any]
) -> None:
    carrier = await bound(**good)
    assert (await send(carrier, PHONE, "Hello " * 50)).kind is OutcomeKind.ACCEPTED
    await inbox.wait_for(lambda: len(inbox.receipts) == 2)
    session = carrier._binds[0].session
    assert session is not None
    assert session._transport is not None
    assert session._transport.get_extra_info("cipher") is not None
    await carrier.stop()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tls_server_name": "other.example"}, "Hostname mismatch"),
        ({"tls_server_name": None}, "IP address mismatch"),
        ({"tls_ca_file": "other_ca"}, "self-signed certificate|unable to get"),
        ({"tls_ca_file": None}, "self-signed certificate|unable to get"),
    ],
)
async def test_a_carrier_that_is_not_the_one_meant_gets_no_password(
    sandbox: SandboxCarrier,
    inbox: Inbox,
    good: dict[str, Any],
    *,
    certificates: Certificates,
    changes: dict[str, str | None],
    reason: str,
) -> None:
    chosen = {**good, **changes}
    if changes.get("tls_ca_file"):
        chosen["tls_ca_file"] = certificates.other_ca
    with capture_logs() as logs:
        carrier = SmppCarrier(SmppSettings("127.0.0.1", sandbox.smpp_port, "tukupay", "secret", **chosen), inbox.sinks)
        await carrier.start()
        await until(carrier, lambda: bool(carrier.status().binds[0].last_error))
        assert not carrier.is_up
        await carrier.stop(0.1)
    entry = next(entry for entry in logs if entry["event"] == "smpp.certificate_not_trusted")
    assert any(part in entry["reason"] for part in reason.split("|"))
    assert "tls_ca_file" in entry["remedy"]
    assert sandbox.stats()["binds"] == 0


@pytest.mark.parametrize("speaks_tls", [True, False])
async def test_a_carrier_that_asks_for_our_certificate_takes_no_bind_without(
    sandbox: SandboxCarrier, inbox: Inbox, good: dict[str, Any], speaks_tls: bool
) -> None:
    ours = ("tls_cert_file", "tls_key_file")
    chosen = {name: value for name, value in good.items() if speaks_tls and name not in ours}
    settings = SmppSettings("127.0.0.1", sandbox.smpp_port, "tukupay", "secret", response_timeout_s=0.5, **chosen)
    carrier = SmppCarrier(settings, inbox.sinks)
    await carrier.start()
    await until(carrier, lambda: bool(carrier.status().binds[0].last_error))
    assert not carrier.is_up
    await carrier.stop(0.1)
