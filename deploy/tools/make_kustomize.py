"""Writes the kustomize base and its components from what the chart renders, so that both say the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.tools.chart_tools import TOOLS
from deploy.tools.make_chart import CHART, DEPLOY, SUM, chart_sum
from deploy.tools.strategic_patch import Object, deletion, patch

KUSTOMIZE: Final = DEPLOY / "kustomize"
NAME: Final = "tukupay-sms"
"""Of the release and of the namespace."""
HELM_LABELS: Final = ("helm.sh/chart", "app.kubernetes.io/managed-by")
"""Of no meaning where Helm installs nothing."""

_OPERATOR: Final = {
    "name": "operator", "kind": "operator", "uri": "spiffe://tukupay/operator", "scopes": ["*"], "accounts": "all",
}  # fmt: skip
COMPONENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "autoscaling": {f"{name}.autoscaling.enabled": True for name in ("pricing", "messaging", "gateway")},
    "cert-manager": {
        "certManager.enabled": True, "certManager.operator.enabled": True, "access.identities": [_OPERATOR],
    },
    "cloudnative-pg": {"cnpg.enabled": True},
    "external-secrets": {"externalSecrets.enabled": True},
    "gateway-api": {"gateway.route.enabled": True, "gateway.route.parentRefs": [{"name": "public"}]},
    "ingress": {"gateway.ingress.enabled": True},
    "keda": {"messaging.keda.enabled": True},
    "migrate-external": {"migrate.mode": "external"},
    "monitoring": {"monitoring.scrape": "pod", "monitoring.rules.enabled": True},
    "pgbouncer": {"pgbouncer.enabled": True},
}  # fmt: skip
"""The values that each component stands for."""


def main() -> int:
    """Writes everything anew."""
    for folder in ("base", "components"):
        shutil.rmtree(KUSTOMIZE / folder, ignore_errors=True)
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    SUM.write_text(chart_sum(), "utf-8")
    return 0


def files() -> dict[Path, str]:
    """Every file, with what is in it."""
    base = rendered_with("")
    made = _written(
        KUSTOMIZE / "base", {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}, base
    )
    for name in COMPONENTS:
        kind = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        after = rendered_with(name)
        new = [each for key, each in after.items() if key not in base]
        patches = [patch(base[key], each) for key, each in after.items() if key in base and base[key] != each]
        patches += [deletion(each) for key, each in base.items() if key not in after]
        made |= _written(KUSTOMIZE / "components" / name, kind, {_key(each): each for each in new}, patches)
    return made


@cache
def rendered_with(component: str) -> dict[tuple[str, str], Object]:
    """What the chart renders with a component, or for the base when it is empty."""
    return rendered(COMPONENTS[component] if component else {})


def rendered(values: Mapping[str, Any]) -> dict[tuple[str, str], Object]:
    """What the chart renders with some values, by kind and name, without the labels that are Helm's."""
    command = [str(TOOLS / "bin" / "helm"), "template", NAME, str(CHART), "--namespace", NAME]
    for key, value in values.items():
        command += ["--set-json", f"{key}={json.dumps(value)}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - of constants
    found = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {_key(each): without_helm(each) for each in found}


def without_helm(each: Object) -> Object:
    """The object without the labels that are Helm's, also in its template."""
    for holder in (each, each.get("spec", {}).get("template", {})):
        labels = holder.get("metadata", {}).get("labels", {})
        for label in HELM_LABELS:
            labels.pop(label, None)
    return each


def _key(each: Object) -> tuple[str, str]:
    return each["kind"], each["metadata"]["name"]


def _written(
    folder: Path, kustomization: Object, found: Mapping[tuple[str, str], Object], patches: Iterable[Object] = ()
) -> dict[Path, str]:
    by_file: dict[str, list[Object]] = {}
    for (kind, _), each in found.items():
        part = each["metadata"]["labels"]["app.kubernetes.io/component"]
        file = "network-policies" if kind == "NetworkPolicy" else part
        by_file.setdefault(f"{file}.yaml", []).append(each)
    said = dict(kustomization)
    if by_file:
        said["resources"] = sorted(by_file)
    if patches := list(patches):
        said["patches"] = [{"path": "patches.yaml"}]
        by_file["patches.yaml"] = patches
    texts = {name: yaml.safe_dump_all(each, sort_keys=False, width=120) for name, each in by_file.items()}
    head = "# Written by `make chart` from what the chart renders.\n"
    made = {folder / name: head + text for name, text in texts.items()}
    return made | {folder / "kustomization.yaml": head + yaml.safe_dump(said, sort_keys=False)}


if __name__ == "__main__":
    sys.exit(main())
