"""Certificates for trying TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from service_kit.tls.tls_files import read_tls_files
from service_kit.tls.tls_settings import TlsFiles
from sms_cli.local.dev_certificates import WORKLOADS, create_certificates, tls_variables
from sms_cli.shared.command_error import CommandError


def names(path: Path) -> x509.SubjectAlternativeName:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_each_workload_gets_a_pair_with_its_identity_and_names(tmp_path: Path) -> None:
    create_certificates(tmp_path, ["sms.example", "10.0.0.5"], 90)
    for workload in WORKLOADS:
        read_tls_files(TlsFiles(tmp_path / f"{workload}.crt", tmp_path / f"{workload}.key", tmp_path / "ca.crt"))
        found = names(tmp_path / f"{workload}.crt")
        assert found.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://tukupay/ns/sms/sa/{workload}"]
        assert found.get_values_for_type(x509.DNSName) == ["localhost", "sms.example"]
        assert [str(each) for each in found.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "10.0.0.5"]


def test_the_authority_that_is_there_signs_again(tmp_path: Path) -> None:
    create_certificates(tmp_path, [], 90)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    create_certificates(tmp_path, [], 90)
    same = {name for name, octets in before.items() if (tmp_path / name).read_bytes() == octets}
    assert same == {"ca.crt", "ca.key"}


def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    create_certificates(tmp_path / "new", [], 90)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()} == {0o600}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_the_variables_name_files_that_there_are(tmp_path: Path) -> None:
    create_certificates(tmp_path, [], 90)
    variables = tls_variables(tmp_path)
    assert all(Path(path).is_file() for path in variables.values())
    assert {name.partition("_")[0] for name in variables} == {"GATEWAY", "MESSAGING", "PRICING", "TUKUPAY"}


def test_an_authority_with_another_key_is_not_used(tmp_path: Path) -> None:
    create_certificates(tmp_path, [], 90)
    (tmp_path / "ca.key").write_bytes((tmp_path / "gateway.key").read_bytes())
    with pytest.raises(CommandError, match=r"cannot be used: ca\.key is not the key of ca\.crt"):
        create_certificates(tmp_path, [], 90)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"cannot write to .*file"):
        create_certificates(tmp_path / "file", [], 90)
