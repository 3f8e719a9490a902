"""Only what translates calls reads who calls; use cases and stores are handed it, so that nothing does without."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
READING = {("service_kit.access.caller", "caller"), ("service_kit.audit.actor", "actor")}
"""What says who calls, by the module that it is imported from."""


def reads_callers(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.ImportFrom) and any((node.module, alias.name) in READING for alias in node.names)
        for node in ast.walk(tree)
    )


def test_only_servicers_read_who_calls() -> None:
    services = ("messaging_service", "pricing_service")
    found = [path for name in services for path in sorted((ROOT / name).rglob("*.py")) if reads_callers(path)]
    assert len(found) >= 10
    assert [path for path in found if not {"grpc", "transport"} & set(path.parts)] == []
