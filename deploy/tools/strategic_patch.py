"""What makes one object of Kubernetes into another: a strategic merge patch, as kustomize takes it."""

from __future__ import annotations

from typing import Any, Final

Object = dict[str, Any]

BY_NAME: Final = frozenset({"containers", "initContainers", "env", "volumes"})
"""Lists whose items are told apart by their names; other lists are replaced whole."""


def patch(before: Object, after: Object) -> Object:
    """The patch, with apiVersion, kind and name; the objects are of one kind and name, and differ."""
    return {
        "apiVersion": after["apiVersion"],
        "kind": after["kind"],
        **_difference(before, after),
        "metadata": {**_difference(before["metadata"], after["metadata"]), **_named(after)},
    }


def deletion(before: Object) -> Object:
    """The patch that takes an object away."""
    return {
        "$patch": "delete",
        "apiVersion": before["apiVersion"],
        "kind": before["kind"],
        "metadata": _named(before),
    }


def _named(each: Object) -> Object:
    return {key: each["metadata"][key] for key in ("name", "namespace") if key in each["metadata"]}


def _difference(before: Object, after: Object) -> Object:
    # A key that is gone becomes null.
    found: Object = {key: None for key in before if key not in after}
    for key, new in after.items():
        old = before.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found[key] = _difference(old, new)
        elif key in BY_NAME and isinstance(old, list):
            found[key] = _by_name(old, new)
        else:
            found[key] = new
    return found


def _by_name(before: list[Object], after: list[Object]) -> list[Object]:
    old, new = ({each["name"]: each for each in items} for items in (before, after))
    found: list[Object] = [{"name": name, "$patch": "delete"} for name in old if name not in new]
    for name, each in new.items():
        if name not in old:
            found.append(each)
        elif old[name] != each:
            found.append({"name": name, **_difference(old[name], each)})
    return found
