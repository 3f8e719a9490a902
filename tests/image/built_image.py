"""Builds the image from deploy/image/Dockerfile where there is no registry, on a base made of Debian's packages.

The base is as `python:3.13-slim` is in what matters: Debian 13 with Python 3.13, without tini and binutils. It has no
pip. What was downloaded and built is kept in build/image-test, so that a second run takes seconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from tests.image.container_tools import ContainerTools

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "deploy/image/Dockerfile"
CACHE: Final = ROOT / "build/image-test"
VERSION: Final[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
IMAGE: Final = f"localhost/tukupay-sms:{VERSION}"
_BASE: Final = "localhost/base:13"
_SUITE: Final = "trixie"
_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PYTHON: Final = "3.13"
_PLATFORMS: Final = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")


def build(tools: ContainerTools) -> dict[str, Any]:
    """Builds the image, and gives what `podman image inspect` says of it."""
    _import_base(tools)
    pip = _download_wheels(CACHE / "wheels")
    arguments = {
        "BASE": _BASE,
        "PIP": f"python3 /wheels/{pip.name}/pip",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "/wheels",
        "VERSION": VERSION,
        "REVISION": "test",
    }
    tools.run(
        *(
            "buildah",
            "bud",
            "--layers",
            "--isolation=chroot",
            "--network=host",
            f"--volume={CACHE / 'wheels'}:/wheels:ro",
        ),
        *(f"--build-arg={name}={text}" for name, text in arguments.items()),
        *(f"--file={DOCKERFILE}", f"--tag={IMAGE}", str(ROOT)),
        timeout_s=1_500,
    )
    return _inspect(tools)


def _inspect(tools: ContainerTools) -> dict[str, Any]:
    (found,) = json.loads(tools.run("podman", "image", "inspect", IMAGE).stdout)
    assert isinstance(found, dict)
    return found


def _import_base(tools: ContainerTools) -> None:
    if tools.run("podman", "image", "exists", _BASE, check=False).returncode == 0:
        return
    archive = CACHE / "base.tar"
    if not archive.exists():
        made = CACHE / "base.partial.tar"
        tools.run(
            *("mmdebstrap", "--quiet", "--variant=minbase", "--include=python3,ca-certificates", _SUITE, str(made)),
            f"deb [signed-by={_KEYRING}] {_mirror()} {_SUITE} main",
            timeout_s=900,
        )
        made.rename(archive)
    tools.run("podman", "import", "--quiet", str(archive), _BASE, timeout_s=300)


def _mirror() -> str:
    """Where this machine gets its packages of Debian."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return next(uri for uri in listed if "security" not in uri)


def _download_wheels(folder: Path) -> Path:
    """Wheels of what the image installs, by this machine's index; gives that of pip, which the base lacks."""
    locks = [ROOT / "requirements/service.txt", ROOT / "requirements/build.txt"]
    wanted = "".join(lock.read_text("utf-8") for lock in locks)
    mark = folder / "locks.txt"
    if not mark.exists() or mark.read_text("utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        download = (sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={folder}")
        target = (f"--python-version={_PYTHON}", *(f"--platform={each}" for each in _PLATFORMS))
        for lock in locks:
            subprocess.run(
                [*download, *target, "--require-hashes", f"--requirement={lock}"], check=True, env=os.environ
            )
        subprocess.run([*download, "--no-deps", "pip"], check=True, env=os.environ)
        mark.write_text(wanted, "utf-8")
    (pip,) = folder.glob("pip-*.whl")
    return pip


def pins(lock: str) -> set[str]:
    """`name==version` of each line of a lock that holds on Linux."""
    lines = re.findall(
        r"^([a-z0-9-]+)(?:\[[^\]]*\])?==([^\s;]+)( ; [^\\]*)?", (ROOT / lock).read_text("utf-8"), re.MULTILINE
    )
    return {f"{name}=={version}" for name, version, marker in lines if "win32" not in marker}
