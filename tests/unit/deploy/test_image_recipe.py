"""How the image is built, as far as that shows without building it; `make image-test` does that."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from email.message import Message
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy/image"
DIGEST = "sha256:" + 64 * "a"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_a_base_without_a_digest_is_refused_unless_that_is_asked_for() -> None:
    build = module("build_image")
    pinned = f"# why\n\nregistry.example/python:3.13@{DIGEST}\n"
    assert build.base_of(pinned, unpinned=False) == f"registry.example/python:3.13@{DIGEST}"
    with pytest.raises(build.BuildError, match="has no digest"):
        build.base_of("python:3.13\n", unpinned=False)
    assert build.base_of("python:3.13\n", unpinned=True) == "python:3.13"
    with pytest.raises(build.BuildError):
        build.base_of("# nothing\n", unpinned=True)


def test_the_base_is_debian_with_the_newest_supported_python() -> None:
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    newest = max(re.findall(r"Python :: 3\.(\d+)", "\n".join(classifiers)), key=int)
    base = module("build_image").base_of((FOLDER / "base.txt").read_text(), unpinned=True)
    assert base.startswith(f"docker.io/library/python:3.{newest}-slim-trixie")


def test_nothing_is_installed_but_what_is_pinned_by_hash() -> None:
    recipe = (FOLDER / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE$", recipe, re.MULTILINE), "a default would be built on without a digest"
    installs = re.findall(r"\$\{PIP\}.* install (.*)", recipe)
    assert len(installs) == 3
    assert all("--require-hashes" in each or "--no-deps --no-index" in each for each in installs)


def test_the_context_has_what_the_wheel_is_made_of_and_nothing_else() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    besides = {"LICENSE", "README.md", "pyproject.toml", "requirements/build.txt", "requirements/service.txt"}
    assert let_in == {*packages, *besides, "deploy/image/write_sbom.py"}


def test_the_list_of_contents_names_python_and_debian_packages() -> None:
    write_sbom = module("write_sbom")
    metadata = []
    for name, version in (("tukupay-sms", "1.0"), ("Some_Library", "2.1+x")):
        message = Message()
        message["Name"], message["Version"] = name, version
        message["License-Expression"] = "MIT"
        metadata.append(message)
    status = (
        "Package: tini\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.19.0-3+b1\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
    )
    document = write_sbom.sbom(status, 'ID=debian\nVERSION_ID="13"\n', metadata)
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/tukupay-sms@1.0"
    version = ".".join(map(str, sys.version_info[:3]))
    assert [each["purl"] for each in document["components"]] == [
        "pkg:pypi/some-library@2.1%2Bx",
        f"pkg:generic/python@{version}",
        "pkg:deb/debian/tini@0.19.0-3%2Bb1?arch=amd64&distro=debian-13",
    ]
