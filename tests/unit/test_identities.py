"""The file of identities: who is known by what, what is wrong with a file, and what a change of it does."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

import pytest

from service_kit.access import bearer_tokens
from service_kit.access.asserted import vouched
from service_kit.access.identities import IdentitiesError, read_identities
from service_kit.access.identities_file import IdentitiesFile
from service_kit.access.principal import Principal, PrincipalKind
from service_kit.settings import SettingsError

URI = "spiffe://tukupay/ns/sms/sa/gateway"
GATEWAY = f"""
[[identity]]
name = "gateway"
kind = "workload"
uri = "{URI}"
scopes = ["assert:principal", "keys:resolve"]
accounts = "all"
"""


def identity(**fields: str) -> str:
    usual = {"name": '"jane"', "kind": '"operator"', "token_sha256": f'["{"ab" * 32}"]', "scopes": '["*"]'}
    merged = {**usual, "accounts": '"all"', **fields}
    return "[[identity]]\n" + "".join(f"{name} = {text}\n" for name, text in merged.items() if text)


def test_a_workload_is_known_by_the_uri_of_its_certificate() -> None:
    gateway = read_identities(GATEWAY).of_uri(URI)
    assert gateway == Principal(
        "workload:gateway", PrincipalKind.WORKLOAD, None, frozenset({"assert:principal", "keys:resolve"})
    )


def test_an_operator_is_known_by_each_of_its_tokens() -> None:
    old, new = bearer_tokens.generate(), bearer_tokens.generate()
    text = identity(token_sha256=f'["{old.sha256}", "{new.sha256}"]', accounts='["a", "b"]', app='"wallet"')
    known = read_identities(text)
    jane = Principal("operator:jane", PrincipalKind.OPERATOR, frozenset({"a", "b"}), frozenset({"*"}), "wallet")
    assert [known.of_token(token) for token in (old.text, new.text)] == [jane, jane]
    assert known.of_token(old.text[:-1]) is None
    assert known.of_token("") is None


def test_a_token_is_found_by_its_hash_and_shown_nowhere() -> None:
    token = bearer_tokens.generate()
    assert token.text.startswith("tukupay_")
    assert len(token.text) == len("tukupay_") + 43
    assert token.sha256 == sha256(token.text.encode()).hexdigest()
    assert token.text not in repr(token)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[identity", "is no TOML"),
        ("identity = 3", "write [[identity]]"),
        ("key = 3", "'key' is not known here"),
        (identity(name='"J a n e"'), "name is not 1 to 63"),
        (identity(kind='"person"'), 'neither "workload" nor "operator"'),
        (identity(uri='"https://x"'), "uri is not spiffe://"),
        (identity(token_sha256=""), "neither a uri nor a token_sha256"),
        (identity(token_sha256='["AB"]'), "64 hexadecimal digits"),
        (identity(token_sha256="3"), "token_sha256 is no list of texts"),
        (identity(scopes="[]"), "scopes is empty"),
        (identity(scopes='["sms:sent"]'), "'sms:sent', which are no scopes"),
        (identity(scopes='["assert:principal"]'), "only workloads may have"),
        (identity(accounts='"every"'), 'neither "all" nor a list'),
        (identity(accounts="[]"), "has 0 accounts"),
        (identity(accounts='[" a"]'), "' a', which begins or ends with a space"),
        (identity(app='""'), "app is empty"),
        (identity(colour='"red"'), "'colour' is no field"),
        (identity() + identity(), "share a name"),
        (identity() + identity(name='"joe"'), "share a token"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(text: str, problem: str) -> None:
    with pytest.raises(IdentitiesError) as caught:
        read_identities(text)
    assert problem in str(caught.value)


def test_every_fault_of_a_file_is_named_at_once() -> None:
    with pytest.raises(IdentitiesError) as caught:
        read_identities(identity(scopes="[]", app="3") + identity(name='"joe"', kind='"cat"'))
    assert str(caught.value).splitlines() == [
        "identity 1 ('jane'): scopes is empty; name some, or [\"*\"] for all",
        "  identity 1 ('jane'): app is no text",
        "  identity 1 ('jane'): app is empty; give 1 to 64 characters",
        '  identity 2 (\'joe\'): kind is neither "workload" nor "operator"',
        "  operator:jane and operator:joe share a token",
    ]


def replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.rename(path)


def test_a_new_file_is_read_and_a_broken_one_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "identities.toml"
    replace(path, GATEWAY)
    file = IdentitiesFile(path)
    assert file.now.of_uri(URI) is not None
    replace(path, "[[identity")
    file.look()
    assert file.now.of_uri(URI) is not None
    path.unlink()
    file.look()
    assert file.now.of_uri(URI) is not None
    replace(path, identity())
    file.look()
    assert file.now.of_uri(URI) is None
    assert file.now.count == 1


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "identities.toml"
    replace(path, GATEWAY)
    file = IdentitiesFile(path)
    before = file.now
    file.look()
    assert file.now is before


@pytest.mark.parametrize("content", [None, "[[identity"])
def test_a_service_does_not_start_without_a_readable_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "identities.toml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=os.fspath(path)):
        IdentitiesFile(path)


def test_who_is_vouched_for_has_no_more_accounts_than_the_asserter_and_no_scope_of_programs() -> None:
    scopes = frozenset({"sms:send", "assert:principal"})
    for_all = Principal("tk_live_00000000", PrincipalKind.API_KEY, None, scopes)
    for_two = Principal("tk_live_00000001", PrincipalKind.API_KEY, frozenset({"a", "b"}), frozenset({"sms:send"}))
    every = Principal("workload:x", PrincipalKind.WORKLOAD, None, frozenset({"assert:principal"}))
    some = Principal("workload:y", PrincipalKind.WORKLOAD, frozenset({"b", "c"}), frozenset({"assert:principal"}))
    assert vouched(every, for_all).scopes == {"sms:send"}
    assert vouched(every, for_two) is for_two
    assert vouched(some, for_all).accounts == frozenset({"b", "c"})
    assert vouched(some, for_two).accounts == frozenset({"b"})


def test_the_example_in_the_guide_is_right() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "access.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```toml\n(.*?)```", guide, re.DOTALL) if "[[identity]]" in block)
    known = read_identities(example)
    assert known.count == 3
    assert known.of_uri(URI) is not None
