"""Builds the image with docker, podman or buildah, on the base that base.txt names by digest.

A base without a digest is refused: what is built on a tag today may be something else tomorrow. `--unpinned` builds on
it all the same, for trying.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = Path(__file__).with_name("base.txt")
BUILDERS = ("docker", "podman", "buildah")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}")


class BuildError(Exception):
    """The image is not built; the text says why and what to do."""


def base_of(text: str, *, unpinned: bool) -> str:
    """The base in the text of base.txt; raises BuildError when it has no digest and that is not `unpinned`."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise BuildError(f"{BASE.name} names no base")
    if not unpinned and _DIGEST.search(lines[0]) is None:
        raise BuildError(
            f"{lines[0]} has no digest, so that nobody could build the same image again: write it into {BASE.name}, "
            "which says how to ask for it, or build for trying with `make image UNPINNED=1`"
        )
    return lines[0]


def command(builder: str, base: str, version: str, revision: str, tag: str) -> Sequence[str]:
    """What builds the image; the folder it runs in is the root of the repository."""
    arguments = {"BASE": base, "VERSION": version, "REVISION": revision}
    return (
        *(builder, "build", "--file", "deploy/image/Dockerfile", "--tag", tag),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        ".",
    )


def first_builder() -> str:
    """The first program that is installed; raises BuildError when none is."""
    for builder in BUILDERS:
        if shutil.which(builder):
            return builder
    raise BuildError(f"none of {', '.join(BUILDERS)} is installed")


def main() -> int:
    """Builds; exits with 2 when it cannot begin, and else as the builder does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="name of the image; tukupay-sms and the version if absent")
    parser.add_argument("--builder", choices=BUILDERS, help="the first of these that is there if absent")
    parser.add_argument("--unpinned", action="store_true", help="take a base without a digest")
    given = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    try:
        base = base_of(BASE.read_text("utf-8"), unpinned=given.unpinned)
        builder = given.builder or first_builder()
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    asking = ("git", "rev-parse", "HEAD")
    revision = subprocess.run(asking, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    words = command(builder, base, version, revision or "unknown", given.tag or f"tukupay-sms:{version}")
    return subprocess.run(words, cwd=ROOT, check=False).returncode  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(main())
