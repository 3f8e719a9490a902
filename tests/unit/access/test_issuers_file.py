"""The issuers file: what it says, what is wrong with it in words, and how its changes are followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from service_kit.access.oidc.issuers_file import read_issuers_file
from service_kit.access.oidc.verifier import FileVerifier
from service_kit.errors import ServiceError
from service_kit.settings import SettingsError
from tests.doubles.token_issuer import ISSUER, NOW, TokenIssuer

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "issuers.toml"
GOOD = f"""
[[issuers]]
name = "staff"
issuer = "{ISSUER}"
audiences = ["tukupay-sms"]
jwks_url = "https://id.example.com/certs"
algorithms = ["ES256"]
"""


def test_the_example_is_read() -> None:
    staff, partners = read_issuers_file(EXAMPLE)
    assert staff.groups_claim == ("realm_access", "roles")
    assert staff.scopes_claim == ("scope",)
    assert staff.groups["sms-operators"].all_accounts
    assert staff.groups["sms-operators"].scopes == {"*"}
    assert staff.leeway_s == 10
    assert partners.leeway_s == 30
    assert partners.everybody.accounts == {"partner"}
    assert partners.algorithms == ("ES256", "EdDSA")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"ES256"', '"none"', "algorithms has 'none'"),
        ('"ES256"', '"HS256"', "algorithms has 'HS256'"),
        ('["ES256"]', "[]", "algorithms is empty"),
        ('["tukupay-sms"]', "[]", "audiences is empty"),
        ('["tukupay-sms"]', '[""]', "audiences is empty"),
        (ISSUER, "", "issuer is empty"),
        ('"staff"', '"Staff:"', "name is not"),
        ('"staff"', '"spiffe"', "name is not"),
        ("https://id.example.com/certs", "http://id.example.com/certs", "use https"),
        ("https://id.example.com/certs", "http://[::1", "is not https://"),
        ("https://id.example.com/certs", "ftp://id.example.com/certs", "is not https://"),
        ("https://id.example.com/certs", "https://user:word@id.example.com/certs", "without user"),
        ("algorithms", "algoritms", "algoritms"),
        ("algorithms =", "leeway_s = 1000\nalgorithms =", "use 0 to 300"),
        ("algorithms =", 'groups_claim = ""\nalgorithms =', "groups_claim is empty"),
        ("algorithms =", 'app_id = " "\nalgorithms =', "app_id is empty"),
        ('["ES256"]', '["ES256"]\n[issuers.groups.x]\nscopes = ["sms:send"]', "groups_claim does not say"),
        ('["ES256"]', '["ES256"]\n[issuers.everybody]\nscopes = ["sms:sent"]', "'sms:sent' is no scope"),
        ('["ES256"]', '["ES256"]\n[issuers.everybody]\nscopes = ["assert:principal"]', "never for tokens"),
        ('["ES256"]', '["ES256"]\n[issuers.everybody]\naccounts = ["a "]', "begins or ends with a space"),
        (
            '["ES256"]',
            '["ES256"]\n[issuers.everybody]\naccounts = ["a"]\nall_accounts = true',
            "beside all_accounts",
        ),
        ("[[issuers]]", "[[issuers", "is not TOML"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "issuers.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SettingsError) as raised:
        read_issuers_file(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "issuers.toml"
    path.write_text(GOOD.replace('"ES256"', '"none"') + GOOD)
    with pytest.raises(SettingsError) as raised:
        read_issuers_file(path)
    for says in ("'none'", "two have the name 'staff'", f"two have the issuer '{ISSUER}'"):
        assert says in str(raised.value)


def test_a_file_that_is_absent_or_empty_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_issuers_file(tmp_path / "none.toml")
    (tmp_path / "empty.toml").write_text("issuers = []")
    with pytest.raises(SettingsError, match="at least one"):
        read_issuers_file(tmp_path / "empty.toml")


def test_http_serves_on_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "issuers.toml"
    path.write_text(GOOD.replace("https://id.example.com/certs", "http://127.0.0.1:8081/jwks"))
    assert read_issuers_file(path)[0].jwks_url == "http://127.0.0.1:8081/jwks"


async def test_a_change_is_seen_within_ten_seconds_and_a_wrong_one_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "issuers.toml"
    path.write_text(GOOD)
    monotonic = [0.0]
    issuer = TokenIssuer()
    verifier = FileVerifier(path, fetch=issuer.fetch, now=lambda: NOW, monotonic=lambda: monotonic[0])
    token = issuer.token()
    assert (await verifier.verify(token)).id == "staff:alice"
    path.write_text(GOOD.replace('"ES256"', '"none"'))
    monotonic[0] += 10
    assert (await verifier.verify(token)).id == "staff:alice"
    path.write_text(GOOD.replace('"staff"', '"people"'))
    monotonic[0] += 10
    assert (await verifier.verify(token)).id == "people:alice"
    path.write_text(GOOD.replace(ISSUER, "https://other.example"))
    monotonic[0] += 10
    with pytest.raises(ServiceError):
        await verifier.verify(token)
    await verifier.close()
