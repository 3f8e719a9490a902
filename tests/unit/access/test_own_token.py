"""The token that a process shows to others, from a file that is replaced while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from service_kit.access import bearer_tokens
from service_kit.access.own_token import LOOK_EVERY_S, own_token
from service_kit.settings import secret_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_token_of_the_environment_stays(tmp_path: Path) -> None:
    token = bearer_tokens.generate().text
    assert own_token(secret_of({"TOKEN": token}, "TOKEN"))() == token
    with pytest.raises(ValueError, match="cannot be read"):
        secret_of({"TOKEN_FILE": str(tmp_path / "absent")}, "TOKEN")


def test_a_file_that_changes_gives_another_token_and_one_at_fault_leaves_the_old_one(tmp_path: Path) -> None:
    old, new = (bearer_tokens.generate().text for _ in range(2))
    file, clock = tmp_path / "token", Clock()
    file.write_text(old + "\n")
    token = own_token(secret_of({"TOKEN_FILE": str(file)}, "TOKEN"), clock)

    def after(content: str | None) -> str:
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
        assert token() == before
        clock.now += LOOK_EVERY_S
        return token()

    before = token()
    assert before == old
    for at_fault in (None, "", "too short", "a\nb" * 40):
        assert after(at_fault) == old
    assert after(new + "\r\n") == new
