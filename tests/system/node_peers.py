"""Installs the programs of tests/peers, which node runs."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import time
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parents[1] / "peers"
INSTALL_S = 90.0
RETRY_AFTER_S = 600.0
"""So that one machine without a registry does not wait for it in every test."""


def installed_peer(request: pytest.FixtureRequest, factory: pytest.TempPathFactory, source: Path, name: str) -> Path:
    """The folder with the program of `source` and its packages; installs it once, in a folder that is kept.

    Skips, and says why, where node or npm is absent or npm cannot fetch the packages.
    """
    # Without pytest's cache, as in a checkout that cannot be written to, it is installed for this run alone.
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    folder = factory.mktemp(name) if cache is None else Path(cache.mkdir(name))
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"node and npm, which run {name} of tests/peers, are not installed")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (source / "package.json").read_text()
        for program in source.glob("*.mjs"):
            shutil.copy(program, folder)
        done = folder / "installed.json"
        if not done.exists() or done.read_text() != wanted:
            (folder / "package.json").write_text(wanted)
            _install(npm, folder, name)
            done.write_text(wanted)
    return folder


def _install(npm: str, folder: Path, name: str) -> None:
    failed = folder / "failed"
    if failed.exists() and time.time() - failed.stat().st_mtime < RETRY_AFTER_S:
        pytest.skip(failed.read_text())
    options = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1")
    try:
        subprocess.run([npm, "install", *options], cwd=folder, check=True, timeout=INSTALL_S, capture_output=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        failed.write_text(f"npm cannot install {name} of tests/peers: {type(error).__name__}")
        pytest.skip(failed.read_text())
