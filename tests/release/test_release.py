"""The built release: the same bytes each time, and it installs and runs where there is no repository."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from messaging_service.migrations import MIGRATIONS
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.revisions import read_revisions
from tests.system.ports import free_port
from tests.system.waiting import until

ROOT = Path(__file__).parents[2]
DIST = ROOT / os.environ.get("TUKUPAY_TEST_RELEASE", "dist")
STUBS = ("googleapis-common-protos", "grpcio", "grpcio-status", "protobuf", "typing-extensions")


def wheel() -> Path:
    (found,) = DIST.glob("*.whl")
    return found


def lock(kind: str) -> Path:
    (found,) = DIST.glob(f"*-{kind}-lock.txt")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outside of the repository, and where commands run."""
    return tmp_path_factory.mktemp("release")


def run(program: Path, *words: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **settings}
    return subprocess.run([program, *words], env=environment, cwd=folder, capture_output=True, text=True, check=False)


def installed(folder: Path, pins: Path) -> Path:
    """The folder of programs of a new environment with the wheel and the pins of a lock."""
    environment = folder / pins.stem
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    install = (sys.executable, "-m", "pip", "--python", environment / "bin/python", "install", "--quiet")
    subprocess.run([*install, "--require-hashes", "--requirement", pins], check=True, cwd=folder)
    subprocess.run([*install, "--no-deps", "--no-index", wheel()], check=True, cwd=folder)
    return environment / "bin"


@pytest.fixture(scope="module")
def services(folder: Path) -> Path:
    return installed(folder, lock("service"))


def test_the_checksums_are_those_of_all_other_files() -> None:
    lines = (DIST / "SHA256SUMS").read_text().splitlines()
    files = {path.name: path for path in DIST.iterdir() if path.name != "SHA256SUMS"}
    assert {name: digest for digest, name in (line.split("  ") for line in lines)} == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }
    kinds = sorted(re.sub(r"^tukupay[-_]sms-\d+\.\d+\.\d+", "", name) for name in files)
    assert kinds == [
        "-py3-none-any.whl",
        "-server-lock.txt",
        "-server.cdx.json",
        "-service-lock.txt",
        "-service.cdx.json",
        ".tar.gz",
    ]


def test_the_same_commit_gives_the_same_bytes(folder: Path) -> None:
    again = folder / "again"
    commit_time = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True).strip()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", again],
        env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": commit_time, "LC_ALL": "C", "TZ": "Africa/Nairobi"},
        cwd=ROOT,
        umask=0o077,
        check=True,
        capture_output=True,
    )
    for built in again.iterdir():
        assert built.read_bytes() == (DIST / built.name).read_bytes(), built.name


def test_with_the_stubs_alone_calls_can_be_made_and_the_command_knows_its_version(folder: Path) -> None:
    pinned = re.findall(r"^[a-z0-9-]+==(?:.*\\\n)*.*\n", lock("service").read_text(), re.MULTILINE)
    pins = folder / "stubs.txt"
    pins.write_text("".join(pin for pin in pinned if pin.partition("==")[0] in STUBS))
    programs = installed(folder, pins)

    version = run(programs / "tukupay-sms", "--version", folder=folder)
    assert version.stdout == f"tukupay-sms {wheel().name.split('-')[1]}\n"
    refused = run(programs / "tukupay-sms", "status", folder=folder)
    assert (refused.returncode, "install tukupay-sms[server]" in refused.stderr) == (2, True)
    imports = (
        "from tukupay.sms.messaging.v1 import messaging_pb2_grpc; from tukupay.sms.pricing.v1 import pricing_pb2_grpc"
    )
    assert run(programs / "python", "-c", imports, folder=folder).returncode == 0


@contextmanager
def serving(programs: Path, folder: Path, module: str, **settings: str) -> Iterator[None]:
    with (folder / f"{module}.log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "python", "-m", module], env=settings, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0, (folder / f"{module}.log").read_text()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=5).is_success
    except httpx.TransportError:
        return False


def test_the_services_migrate_and_serve_with_their_own_pins(services: Path, folder: Path) -> None:
    with EmbeddedPostgres(folder / "data", fsync=False) as server:
        for service in ("pricing", "messaging"):
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {service}")
            settings = {f"{service.upper()}_DATABASE_URL": server.url(service)}
            done = run(services / "python", "-m", f"{service}_service.migrate", folder=folder, **settings)
            assert (done.returncode, done.stderr) == (0, "")
        with psycopg.connect(server.url("messaging")) as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (
                read_revisions(MIGRATIONS).head,
            )

        probes, http = free_port(), free_port()
        pricing = {
            "PRICING_DATABASE_URL": server.url("pricing"),
            "PRICING_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
            "PRICING_PROBES_ADDRESS": f"127.0.0.1:{probes}",
        }
        with serving(services, folder, "pricing_service", **pricing):
            until("pricing is ready", lambda: answers(f"http://127.0.0.1:{probes}/readyz"))
        with serving(services, folder, "gateway_http", GATEWAY_HTTP_ADDRESS=f"127.0.0.1:{http}"):
            for page in ("/docs", "/openapi.json"):
                until(f"the gateway shows {page}", lambda: answers(f"http://127.0.0.1:{http}{page}"))  # noqa: B023 - at once
