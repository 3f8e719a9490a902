"""The chart as Helm renders it, and what Kubernetes says of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource

from deploy.tools.chart_tools import TOOLS, VERSIONS

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "tukupay-sms"
HELM: Final = TOOLS / "bin" / "helm"
KUBECTL: Final = TOOLS / "bin" / "kubectl"
VARIANTS: Final = ("default", *sorted(path.stem for path in (CHART / "ci").glob("*.yaml")))
"""The values that are rendered: the defaults, and each file of the chart's ci/."""
OLDEST, NEWEST = VERSIONS
COMPONENTS: Final = ("pricing", "messaging", "gateway")
NAMESPACE: Final = "sms"
CUSTOM: Final = ROOT / "tests" / "vectors" / "custom_resources.yaml"

Object = dict[str, Any]

needs_helm: Final = pytest.mark.skipif(not HELM.exists(), reason="helm is not here; `make chart-tools` fetches it")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs helm; the caller looks at how it ended."""
    return subprocess.run([str(HELM), *arguments], capture_output=True, text=True, check=False, timeout=60)


@cache
def rendered(variant: str, version: str = NEWEST, *arguments: str) -> str:
    """What `helm template` prints for a file of ci/, or for the defaults."""
    values = () if variant == "default" else ("--values", str(CHART / "ci" / f"{variant}.yaml"))
    done = helm("template", "sms", str(CHART), "--namespace", NAMESPACE, "--kube-version", version, *values, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def objects(variant: str, version: str = NEWEST, *arguments: str) -> tuple[Object, ...]:
    """The same, read."""
    return tuple(parsed(rendered(variant, version, *arguments)))


def parsed(text: str) -> list[Object]:
    """The objects of a stream of YAML."""
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


def of_kind(found: Iterable[Object], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [each for each in found if each["kind"] in kinds]


def component(each: Object) -> str:
    """Which component an object belongs to."""
    return str(each["metadata"]["labels"]["app.kubernetes.io/component"])


def deployments(found: Iterable[Object]) -> dict[str, Object]:
    """The Deployments of the three components by their names."""
    return {component(each): each for each in of_kind(found, "Deployment") if component(each) in COMPONENTS}


def pods(found: Iterable[Object]) -> dict[str, Object]:
    """The templates of all pods, by kind and name of what makes them."""
    return {
        f"{each['kind']} {each['metadata']['name']}": each["spec"]["template"]
        for each in of_kind(found, "Deployment", "Job")
    }


def problems(each: Object, version: str) -> list[str]:
    """What the API would refuse: by the schemas of Kubernetes, or by the definitions of custom resources."""
    name = f"{each['apiVersion']} {each['kind']}"
    validator = _custom().get(name) or _native(name, version)
    if validator is None:
        return [f"{name}: there is no schema of it"]
    place = f"{each['kind']} {each['metadata']['name']}"
    return [
        f"{place}: {'.'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(each)
    ]


@cache
def _definitions(version: str) -> Registry[Any]:
    text = (TOOLS / "schemas" / version / "_definitions.json").read_text("utf-8")
    definitions: Registry[Any] = Resource.from_contents(json.loads(text)) @ Registry()
    return definitions


@cache
def _native(name: str, version: str) -> jsonschema.Draft202012Validator | None:
    api, kind = name.split()
    group, _, api_version = api.rpartition("/")
    parts = [kind.lower(), *([group.split(".")[0]] if group else []), api_version]
    path = TOOLS / "schemas" / version / f"{'-'.join(parts)}.json"
    if not path.exists():
        return None
    return jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8")), registry=_definitions(version))


@cache
def _custom() -> Mapping[str, jsonschema.Draft202012Validator]:
    document = yaml.load(CUSTOM.read_text("utf-8"), yaml.CSafeLoader)
    return {
        name: jsonschema.Draft202012Validator(
            _schema({"apiVersion!": "string", "kind!": "string", "metadata!": "any", "spec!": said["spec"]})
        )
        for name, said in document.items()
    }


def _schema(shape: Any) -> Object:
    if isinstance(shape, dict):
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [key.removesuffix("!") for key in shape if key.endswith("!")],
            "properties": {key.removesuffix("!"): _schema(inner) for key, inner in shape.items()},
        }
    if isinstance(shape, list):
        return {"type": "array", "items": _schema(shape[0])}
    if shape == "any":
        return {}
    if shape == "map":
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if shape in {"string", "integer", "boolean"}:
        return {"type": shape}
    return {"enum": shape.split("|")}
