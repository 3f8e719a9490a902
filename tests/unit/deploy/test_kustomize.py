"""The kustomize base, alone and with each component, is what the chart renders."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tools import make_kustomize
from deploy.tools.make_kustomize import COMPONENTS, KUSTOMIZE, rendered_with
from deploy.tools.strategic_patch import patch
from tests.system.chart import KUBECTL, Object, needs_helm, parsed


def built(folder: Path, components: list[str]) -> dict[tuple[str, str], Object]:
    """What kustomize makes of an overlay over the base with these components."""

    def relative(path: Path) -> str:
        return os.path.relpath(path, folder)

    overlay = {
        "resources": [relative(KUSTOMIZE / "base")],
        "components": [relative(KUSTOMIZE / "components" / name) for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return {(each["kind"], each["metadata"]["name"]): ordered(each) for each in parsed(done.stdout)}


def ordered(value: Any) -> Any:
    """Without the order of what has names, which has no meaning."""
    if isinstance(value, dict):
        return {key: ordered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        items = [ordered(each) for each in value]
        has_names = all(isinstance(each, dict) and "name" in each for each in items)
        return sorted(items, key=lambda each: str(each["name"])) if has_names else items
    return value


@needs_helm
@pytest.mark.parametrize(
    "components", [[], *([name] for name in COMPONENTS)], ids=lambda names: "-".join(names) or "base"
)
def test_it_is_what_the_chart_renders(components: list[str], tmp_path: Path) -> None:
    (name,) = components or [""]
    assert built(tmp_path, components) == {key: ordered(each) for key, each in rendered_with(name).items()}


@needs_helm
def test_several_components_go_together(tmp_path: Path) -> None:
    together = ["cert-manager", "cloudnative-pg", "external-secrets", "gateway-api", "keda", "monitoring"]
    found = built(tmp_path, together)
    assert {"Certificate", "Cluster", "ExternalSecret", "HTTPRoute", "ScaledObject", "PodMonitor"} <= {
        kind for kind, _ in found
    }


@needs_helm
def test_the_files_are_those_that_the_chart_gives() -> None:
    wanted = make_kustomize.files()
    there = {path for folder in ("base", "components") for path in (KUSTOMIZE / folder).rglob("*.yaml")}
    assert there == set(wanted)
    old = [path.relative_to(KUSTOMIZE).as_posix() for path, text in wanted.items() if path.read_text("utf-8") != text]
    assert old == [], "run `make chart`"


def test_a_patch_names_what_changed_and_what_is_gone() -> None:
    before = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"x": 1, "gone": 2, "env": [{"name": "A", "value": "1"}, {"name": "B"}]},
    }
    after = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"x": 1, "list": [3], "env": [{"name": "A", "value": "2"}, {"name": "C"}]},
    }
    assert patch(before, after) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {
            "gone": None,
            "list": [3],
            "env": [{"name": "B", "$patch": "delete"}, {"name": "A", "value": "2"}, {"name": "C"}],
        },
    }
