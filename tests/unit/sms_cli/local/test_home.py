"""The home folder: one system at most, logs that do not grow for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sms_cli.local.home import Home, last_lines
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import read_running_file, write_running_file


def test_a_second_system_on_a_home_is_told_of_the_first(tmp_path: Path) -> None:
    told = pytest.raises(CommandError, match=f"already running.*{os.getpid()}")
    with Home(tmp_path / "home").held(), told, Home(tmp_path / "home").held():
        pytest.fail("two systems on one home")


def test_a_home_can_be_held_again_after_its_system_ended(tmp_path: Path) -> None:
    for _ in range(2):
        with Home(tmp_path / "home").held():
            pass
    assert (tmp_path / "home" / "up.pid").read_text() == ""


def test_the_pid_of_a_killed_system_does_not_block_the_next(tmp_path: Path) -> None:
    (tmp_path / "up.pid").write_text("1\n")
    with Home(tmp_path).held():
        assert (tmp_path / "up.pid").read_text() == f"{os.getpid()}\n"


def test_a_home_is_for_its_user_alone(tmp_path: Path) -> None:
    with Home(tmp_path / "home").held():
        assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_nobody_else_may_write_below_a_home_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Home(tmp_path / "above" / "home").held():
            pass
        (tmp_path / "old" / "logs").mkdir(parents=True)
        with Home(tmp_path / "old").held():
            pass
    finally:
        os.umask(before)
    folders = ("above", "above/home", "above/home/logs", "old", "old/logs")
    modes = [stat.S_IMODE((tmp_path / folder).stat().st_mode) for folder in folders]
    assert modes == [0o755, 0o700, 0o700, 0o755, 0o755]


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = pytest.raises(CommandError, match="cannot write to the home folder")
    with told as caught, Home(tmp_path / "file" / "home").held():
        pytest.fail("a folder below a file")
    assert "TUKUPAY_HOME" in caught.value.remedy


def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.logs.mkdir()
    home.log_of("short").write_text("a line\n")
    with home.log_of("long").open("wb") as log:
        log.truncate(10_000_001)
    home.rotate_logs()
    assert sorted(path.name for path in home.logs.iterdir()) == ["long.log.1", "short.log"]


def test_the_end_of_a_log_begins_with_the_latest_launch(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("old\nnew 1\nnew 2\n")
    assert last_lines(log) == ["old", "new 1", "new 2"]
    assert last_lines(log, since=4) == ["new 1", "new 2"]
    assert last_lines(log, count=1) == ["new 2"]
    assert last_lines(tmp_path / "absent.log") == []


def test_what_runs_where_is_written_for_our_user_alone_and_read_back(tmp_path: Path) -> None:
    variables = {"A_URL": "postgresql://u@/db?host=/tmp/a b&port=1", "AN_ADDRESS": "127.0.0.1:1"}
    write_running_file(tmp_path / "running.env", variables)
    assert read_running_file(tmp_path / "running.env") == variables
    assert stat.S_IMODE((tmp_path / "running.env").stat().st_mode) == 0o600
    assert read_running_file(tmp_path / "absent.env") == {}
