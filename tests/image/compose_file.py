"""deploy/compose.yaml as commands of podman: what each of its services is run with, but for networks and addresses."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.image.built_image import ROOT

COMPOSE: Final = ROOT / "deploy/compose.yaml"
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def read(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables replaced; raises ValueError for one that must be set and is not."""

    def value(match: re.Match[str]) -> str:
        name, kind, text = match.groups()
        if variables.get(name):
            return variables[name]
        if kind == "-":
            return str(text)
        raise ValueError(f"{name} {text}")

    document = yaml.safe_load(_VARIABLE.sub(value, COMPOSE.read_text("utf-8")))
    assert isinstance(document, dict)
    return document


@dataclass(frozen=True)
class ComposeService:
    """A service of the file, with other addresses, as all share the network of this machine."""

    document: dict[str, Any]
    name: str
    secrets: Path
    """The folder of the files that deploy/compose/make_secrets.py made."""
    addresses: Mapping[str, str]

    @property
    def said(self) -> dict[str, Any]:
        """What the file says of it."""
        service: dict[str, Any] = self.document["services"][self.name]
        return service

    def environment(self) -> dict[str, str]:
        """Its variables; those that are in `addresses` have the value from there."""
        given = {name: str(text) for name, text in self.said["environment"].items()}
        return {**given, **{name: text for name, text in self.addresses.items() if name in given}}

    def options(self) -> list[str]:
        """Of `podman run`, before the image."""
        said = self.said
        assert said["security_opt"] == ["no-new-privileges:true"]
        files = {name: os.path.basename(self.document["secrets"][name]["file"]) for name in said["secrets"]}  # noqa: PTH119
        return [
            *("--network=host", "--cgroupns=host", "--security-opt=no-new-privileges", f"--user={said['user']}"),
            *(("--read-only", "--read-only-tmpfs=false") if said["read_only"] else ()),
            *(f"--tmpfs={folder}" for folder in said["tmpfs"]),
            *(f"--cap-drop={capability}" for capability in said["cap_drop"]),
            *(f"--env={name}={text}" for name, text in self.environment().items()),
            *(f"--volume={self.secrets / file}:/run/secrets/{name}:ro" for name, file in files.items()),
        ]
