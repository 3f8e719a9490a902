"""A disk without room under the database: callers and probes are told so, and everything goes on once there is room."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.faults.callers import Callers, check_every_promise
from tests.system.databases import on_own_server
from tests.system.running import System
from tests.system.waiting import until

pytestmark = pytest.mark.skipif(
    "TUKUPAY_DATABASE_SEEDS" not in os.environ, reason="belongs to the long campaigns (`make faults`)"
)

SIZE = "400m"
FIRST_SUCCESS_S = 5.0


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("small")
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "small-disk", str(folder)), capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def fill(folder: Path) -> Path:
    """Takes all the room that is left."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), file.tell(), size)
                    file.seek(size, os.SEEK_CUR)
    return ballast


def test_a_full_disk_is_named_and_left_behind(small_disk: Path, tmp_path: Path) -> None:
    with EmbeddedPostgres(small_disk / "postgres", fsync=False, log_file=tmp_path / "postgres.log") as server:
        system = System(tmp_path, on_own_server(server), {"GATEWAY_OUTCOME_WAIT_S": "2"})
        try:
            system.start()
            system.rest.set_cost("DirectCustomer", 0.8)
            pids = [process.pid for process in system.processes]
            with Callers("full", [system.rest], callers=4) as callers:
                until("some were sent", callers.has_sent(10))
                ballast = fill(small_disk)
                until("messaging says that it does not serve", lambda: not system.rest.is_ready())
                refused = until("a send is refused", lambda: _refused(system))
                assert "no room left on its disk" in str(refused)
                ballast.unlink()
                writable_at = time.monotonic()
                until("a message is sent again", callers.has_sent(1))
                assert time.monotonic() - writable_at < FIRST_SUCCESS_S
                until("the system is ready", system.rest.is_ready)
            assert [process.pid for process in system.processes if process.is_running] == pids
            assert "the database has no room left on its disk" in system.messaging.log
            until("nothing is under way", lambda: _under_way(system) == 0)
            until("every repetition has its answer", lambda: callers.repeat_open() == [])
            check_every_promise(system, callers)
        finally:
            system.stop()


def _refused(system: System) -> str | None:
    answer = system.rest.send("full")
    return None if answer.status != 503 else str(answer.problem["detail"])


def _under_way(system: System) -> int:
    count: int = system.messaging_database.value("SELECT count(*) FROM dispatch WHERE state <> 'unknown'")
    return count
