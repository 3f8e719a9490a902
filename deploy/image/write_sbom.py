"""Writes what is inside an image as CycloneDX: the Python distributions, the interpreter and the packages of Debian.

Runs while the image is built, in its last state, on the standard library. The same contents give the same bytes.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from importlib.metadata import PackageMetadata, distributions
from pathlib import Path
from urllib.parse import quote

PRODUCT = "tukupay-sms"
DPKG_STATUS = Path("/var/lib/dpkg/status")
OS_RELEASE = Path("/etc/os-release")
_LICENSE_NAMES = re.compile(r"License :: (?:OSI Approved :: )?(.+)")


def sbom(status: str, os_release: str, metadata: list[PackageMetadata]) -> dict[str, object]:
    """The document, from the status file of dpkg, `os-release`, and the metadata of the Python distributions."""
    python = sorted((_python_component(each) for each in metadata), key=lambda each: str(each["name"]))
    product = next(each for each in python if each["name"] == PRODUCT)
    components = [each for each in python if each is not product]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**product, "type": "application"}},
        "components": [*components, _interpreter(), *_debian_components(status, os_release)],
    }


def _python_component(metadata: PackageMetadata) -> dict[str, object]:
    name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
    purl = f"pkg:pypi/{name}@{quote(metadata['Version'])}"
    component: dict[str, object] = {
        "type": "library", "bom-ref": purl, "name": name, "version": metadata["Version"], "purl": purl
    }  # fmt: skip
    if expression := metadata["License-Expression"]:
        component["licenses"] = [{"expression": expression}]
    elif named := [found[1] for each in metadata.get_all("Classifier") or () if (found := _LICENSE_NAMES.match(each))]:
        component["licenses"] = [{"license": {"name": name}} for name in named]
    return component


def _interpreter() -> dict[str, object]:
    version = platform.python_version()
    purl = f"pkg:generic/python@{version}"
    return {"type": "platform", "bom-ref": purl, "name": "python", "version": version, "purl": purl}


def _debian_components(status: str, os_release: str) -> Iterator[dict[str, object]]:
    release = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    distribution = f"{release.get('ID', 'debian')}-{release.get('VERSION_ID', '')}".replace('"', "").rstrip("-")
    for package in sorted(_installed(status), key=lambda each: each["Package"]):
        name, version, architecture = package["Package"], package["Version"], package["Architecture"]
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}&distro={distribution}"
        yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _installed(status: str) -> Iterator[Message]:
    for paragraph in status.split("\n\n"):
        package = Parser().parsestr(paragraph, headersonly=True)
        if "installed" in package.get("Status", "").split():
            yield package


def main() -> None:
    """Writes the document to the file that the only argument names."""
    found = [each.metadata for each in distributions()]
    document = sbom(DPKG_STATUS.read_text("utf-8"), OS_RELEASE.read_text("utf-8"), found)
    Path(sys.argv[1]).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
