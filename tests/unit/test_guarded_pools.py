"""Every pool of a service asks its sessions for the guards of that service."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("messaging_service", "pricing_service")


def pools_of(service: str) -> list[tuple[str, dict[str | None, str]]]:
    """Where a service makes pools, and their keyword arguments as they are written."""
    found = []
    for path in sorted((ROOT / service).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in {"create_pool", "Pool"}:
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", keywords))
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_each_pool_of_a_service_has_its_guards(service: str) -> None:
    pools = pools_of(service)
    assert pools
    assert [place for place, keywords in pools if keywords.get("guards") != "GUARDS"] == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_statement_changes_a_session_for_longer_than_its_transaction(service: str) -> None:
    # Behind a pooler the next transaction of that session may be anybody's.
    texts = [
        (path.relative_to(ROOT), node.value)
        for path in sorted((ROOT / service).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    lasting = [
        (str(path), text)
        for path, text in texts
        if any(
            line.strip().startswith("SET ") and not line.strip().startswith(("SET LOCAL ", "SET TRANSACTION "))
            for line in text.splitlines()
            if "=" in line or " TO " in line
        )
        and "UPDATE" not in text
    ]
    assert lasting == []
