"""Key-encryption keys in a file wrap and unwrap data keys, and may be exchanged while a process runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from service_kit.encryption.envelope import new_key
from service_kit.encryption.key_file import KeyFile, parse_keys
from service_kit.encryption.key_wrapper import WrapperError
from tests.system.sealing import key_file, key_line

PURPOSE = b"texts of user123"


async def test_a_wrapped_key_is_unwrapped_for_the_same_purpose_alone(tmp_path: Path) -> None:
    keys, key = KeyFile(key_file(tmp_path, "first")), new_key()
    (wrapped,) = await keys.wrap([(key, PURPOSE)])
    assert wrapped.wrapped_by == "first"
    assert key not in wrapped.wrapped
    assert list(await keys.unwrap([(wrapped, PURPOSE)])) == [key]
    with pytest.raises(WrapperError):
        await keys.unwrap([(wrapped, b"texts of another")])


async def test_the_first_key_wraps_and_all_unwrap_without_a_restart(tmp_path: Path) -> None:
    path = key_file(tmp_path, "first")
    keys, key = KeyFile(path), new_key()
    (old,) = await keys.wrap([(key, PURPOSE)])
    replace(path, key_line("second") + path.read_text())
    assert await keys.present() == "second"
    (new,) = await keys.wrap([(key, PURPOSE)])
    assert (old.wrapped_by, new.wrapped_by) == ("first", "second")
    assert list(await keys.unwrap([(old, PURPOSE), (new, PURPOSE)])) == [key, key]
    replace(path, path.read_text().splitlines(keepends=True)[0])
    with pytest.raises(WrapperError, match="first; put it back"):
        await keys.unwrap([(old, PURPOSE)])


async def test_keys_at_hand_serve_while_the_file_is_away_or_half_written(tmp_path: Path) -> None:
    path = key_file(tmp_path, "first")
    keys = KeyFile(path)
    (wrapped,) = await keys.wrap([(new_key(), PURPOSE)])
    replace(path, "second:half")
    assert await keys.present() == "first"
    path.unlink()
    assert len(await keys.unwrap([(wrapped, PURPOSE)])) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no key"),
        ("# nothing but a comment\n", "holds no key"),
        ("first\n", "line 1 is not name:key"),
        ("a b:AAAA\n", "line 1 is not name:key"),
        ("first:!!\n", "line 1 is not base64"),
        ("first:c2hvcnQ=\n", "line 1 has 5 bytes"),
    ],
)
def test_a_file_at_fault_is_refused_by_line_and_its_words_are_not_repeated(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_keys(text)
    assert "c2hvcnQ" not in str(caught.value)


def test_a_name_stands_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2 gives a name again"):
        parse_keys(key_line("first") + key_line("first"))
    with pytest.raises(ValueError, match="cannot be read"):
        KeyFile(tmp_path / "missing")


def replace(path: Path, text: str) -> None:
    """Writes the file as deployments do: a new one in its place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
