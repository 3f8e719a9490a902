"""The format of API keys, and how those that are mistyped are found out."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.access.api_key import ALPHABET, ApiKey, NewKey, generate, is_key, is_key_id, parse
from service_kit.access.principal import AccessMode

KNOWN = "tk_live_00000000000000000000000000000000000000003gtBsI"


def parses(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("mode", AccessMode)
def test_a_new_key_is_read_back_with_its_id_mode_and_digest(mode: AccessMode) -> None:
    new = generate(mode)
    assert parse(new.text) == new.key
    assert (new.text[:16], len(new.text)) == (new.key.id, 54)
    assert new.key.id.startswith(f"tk_{mode.value}_")
    assert new.key.mode is mode
    assert new.key.digest == sha256(new.text.encode()).digest()
    assert is_key_id(new.key.id)


def test_the_format_stays_as_it_is() -> None:
    assert parse(KNOWN).id == "tk_live_00000000"


def test_no_two_keys_are_alike() -> None:
    assert len({generate(AccessMode.LIVE).key.id for _ in range(200)}) == 200


def test_each_change_of_one_character_is_refused() -> None:
    text = generate(AccessMode.LIVE).text
    typos = (
        text[:at] + character + text[at + 1 :]
        for at in range(len(text))
        for character in ALPHABET
        if character != text[at]
    )
    assert [typo for typo in typos if parses(typo)] == []


def test_two_neighbours_that_changed_places_are_refused() -> None:
    text = generate(AccessMode.TEST).text
    swapped = (text[:at] + text[at + 1] + text[at] + text[at + 2 :] for at in range(len(text) - 1))
    assert [typo for typo in swapped if typo != text and parses(typo)] == []


def test_the_mode_of_a_key_cannot_be_changed() -> None:
    assert not parses(generate(AccessMode.TEST).text.replace("tk_test_", "tk_live_"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        KNOWN[:-1],
        KNOWN + "0",
        KNOWN + "\n",
        " " + KNOWN,
        KNOWN.upper(),
        KNOWN.replace("live", "team"),
        KNOWN.replace("0", "\u0660"),
        KNOWN.replace("0", "\ud800", 1),
        "tk_live_" * 100_000,
    ],
)
def test_what_is_not_formed_as_a_key_is_refused(text: str) -> None:
    assert not parses(text)


@given(st.text(max_size=80) | st.text(ALPHABET, min_size=46, max_size=46).map("tk_live_".__add__))
def test_what_was_not_made_as_a_key_is_refused(text: str) -> None:
    assert not parses(text)


def test_a_refusal_names_no_part_of_the_key() -> None:
    wrong = KNOWN[:-1] + "C"
    with pytest.raises(ValueError, match="checksum") as refused:
        parse(wrong)
    assert wrong[-8:] not in str(refused.value)


def test_neither_secret_nor_digest_is_shown() -> None:
    new = generate(AccessMode.LIVE)
    shown = f"{new!r} {new} {new.key!r} {new.key}"
    assert new.key.id in shown
    assert new.text[16:24] not in shown
    assert repr(new.key.digest) not in shown


def test_digests_are_compared_whole() -> None:
    new: NewKey = generate(AccessMode.LIVE)
    key: ApiKey = new.key
    assert key.has_digest(sha256(new.text.encode()).digest())
    assert not key.has_digest(bytes(32))
    assert not key.has_digest(key.digest[:-1])


@pytest.mark.parametrize(
    ("text", "claims"),
    [("tk_live_", True), ("tk_test_mistyped", True), ("eyJhbGciOiJFZERTQSJ9.e30.c2ln", False), ("tk_team_x", False)],
)
def test_a_key_is_told_from_other_credentials_by_its_first_characters(text: str, claims: bool) -> None:
    assert is_key(text) is claims


@pytest.mark.parametrize("text", ["", "tk_live_", "tk_live_1234567", "tk_live_123456789", "tk_team_12345678", KNOWN])
def test_what_is_no_id_is_told_from_ids(text: str) -> None:
    assert not is_key_id(text)
