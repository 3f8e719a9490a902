"""What happens to files of TLS that are wrong, half written, or new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from service_kit.settings import SettingsError
from service_kit.tls.tls_files import TlsFilesError, TlsMaterial, read_tls_files
from service_kit.tls.tls_settings import TlsFiles
from service_kit.tls.tls_uses import TlsUses
from service_kit.tls.watched_tls import WatchedTls
from tests.system.certificates import PRICING, Authority


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    authority = Authority()
    return TlsFiles(*authority.sign(PRICING).write(tmp_path, "server"), authority.write(tmp_path))


def write_new(files: TlsFiles, *, key: bool = True) -> None:
    assert files.certificate is not None
    assert files.key is not None
    fresh = Authority().sign(PRICING)
    files.certificate.write_bytes(fresh.chain)
    if key:
        files.key.write_bytes(fresh.key)


def test_files_that_belong_together_are_read(files: TlsFiles) -> None:
    material = read_tls_files(files)
    assert material.expires is not None
    assert timedelta(days=29) < material.expires - datetime.now(UTC) < timedelta(days=31)


def test_a_key_is_not_shown(files: TlsFiles) -> None:
    assert "PRIVATE" not in repr(read_tls_files(files))


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt"])
@pytest.mark.parametrize("octets", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nMIIB"])
def test_files_that_are_no_pem_are_named(files: TlsFiles, tmp_path: Path, name: str, octets: bytes) -> None:
    (tmp_path / name).write_bytes(octets)
    with pytest.raises(TlsFilesError, match=name):
        read_tls_files(files)


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt"])
def test_files_that_are_not_there_are_named(files: TlsFiles, tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    with pytest.raises(TlsFilesError, match=f"{name} cannot be read: No such file"):
        read_tls_files(files)


def test_a_key_of_another_certificate_is_refused(files: TlsFiles) -> None:
    write_new(files, key=False)
    with pytest.raises(TlsFilesError, match="is not that of the first certificate"):
        read_tls_files(files)


async def test_a_half_written_pair_leaves_the_old_one_in_use_and_is_logged_once(files: TlsFiles) -> None:
    watched = WatchedTls("server", files)
    taken: list[TlsMaterial] = []
    watched.on_change(taken.append)
    before = watched.current
    write_new(files, key=False)
    with capture_logs() as logs:
        await watched.look()
        await watched.look()
    assert [line["event"] for line in logs] == ["tls.files_refused"]
    assert watched.current == before
    assert taken == []


async def test_a_whole_pair_is_taken_once(files: TlsFiles) -> None:
    watched = WatchedTls("server", files)
    taken: list[TlsMaterial] = []
    watched.on_change(taken.append)
    write_new(files)
    await watched.look()
    await watched.look()
    assert taken == [watched.current] == [read_tls_files(files)]


async def test_a_certificate_that_ends_soon_is_logged_once(files: TlsFiles) -> None:
    now = datetime.now(UTC)
    days = 20
    watched = WatchedTls("server", files, now=lambda: now + timedelta(days=days))
    with capture_logs() as logs:
        await watched.look()
        assert logs == []
        days = 24
        await watched.look()
        await watched.look()
    assert [line["event"] for line in logs] == ["tls.certificate_expires"]


async def test_the_end_of_the_certificate_in_use_is_exported(files: TlsFiles) -> None:
    registry = CollectorRegistry()
    uses = TlsUses()
    registry.register(uses)
    watched = uses.open("server", files)
    assert watched is not None
    name = "tukupay_tls_certificate_expiry_timestamp_seconds"
    assert watched.current.expires is not None
    assert registry.get_sample_value(name, {"use": "server"}) == watched.current.expires.timestamp()


def test_a_service_does_not_start_with_files_that_cannot_be_used(files: TlsFiles) -> None:
    write_new(files, key=False)
    with pytest.raises(SettingsError, match=r"the files of TLS \(server\) cannot be used: the key in"):
        TlsUses().open("server", files)
