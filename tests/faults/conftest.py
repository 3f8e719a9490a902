"""Running systems for tests that break them."""

from __future__ import annotations

from tests.system.fixtures import databases, new_system

__all__ = ["databases", "new_system"]
