"""Files that commands write: complete or not at all."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TextIO

import pytest

from sms_cli.shared.command_error import CommandError
from sms_cli.shared.report_files import replaced


def test_a_file_is_replaced_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("old\n")
    with replaced(path) as file:
        file.write("new\n")
        assert path.read_text() == "old\n"
    assert path.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("old\n")

    def fail(file: TextIO) -> None:
        file.write("half of")
        raise CommandError("messaging is away", "start it")

    with pytest.raises(CommandError, match="away"), replaced(path) as unfinished:
        fail(unfinished)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    with replaced(path, private=True) as file:
        file.write("+254712345678\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("private", [False, True])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, private: bool) -> None:
    file = replaced(tmp_path / "absent" / "report.csv", private=private)
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"), file:
        pass
