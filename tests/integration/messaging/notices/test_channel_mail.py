"""Mail over TLS, through apprise in its real process: the relay is believed only with a certificate that is trusted."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from messaging_service.notices.channels.children import Children
from messaging_service.notices.metrics.channel_metrics import ChannelMetrics
from tests.doubles.mail_receiver import Relay, relay

pytestmark = pytest.mark.timeout(90)
MAIL = {"do": "mail", "to": "duty@example.com", "title": "a title", "body": "a\n.\nbody"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself; its key is beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the certificate of this test, is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"),
        *("-keyout", "key.pem", "-out", "certificate.pem"),
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)
    return folder / "certificate.pem"


@asynccontextmanager
async def mailing(post_office: Relay, mode: str) -> AsyncIterator[Children]:
    known: dict[str, Any] = {
        "host": "localhost",
        "port": post_office.port,
        "mode": mode,
        "user": "post",
        "password": "canary",
        "sender": "alerts@tukupay.example",
    }
    configuration = {"services": [], "networks": [], "relay": known}
    children = Children(configuration, ChannelMetrics(CollectorRegistry()), at_most=1, timeout_s=30, idle_s=60)
    try:
        yield children
    finally:
        await children.close()


@pytest.mark.parametrize("mode", ["ssl", "starttls"])
async def test_the_relay_is_believed_with_a_certificate_that_is_trusted_and_not_without(
    mode: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    async with relay(tls, at_once=mode == "ssl") as post_office:
        async with mailing(post_office, mode) as children:
            assert await children.ask(MAIL) == {"status": None, "error": "TLS_FAILED"}
        assert post_office.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with mailing(post_office, mode) as children:
            assert await children.ask(MAIL) == {"status": None, "error": None}
        (mail,) = post_office.mails
        assert post_office.logins == [":post:canary"]
        assert mail.text.strip() == "a\n.\nbody"
