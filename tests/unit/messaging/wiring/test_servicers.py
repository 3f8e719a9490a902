"""Servicers translate; what they call is a use case, never the port to a database or a carrier."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest

ROOT = Path(__file__).parents[4]
FILES = sorted([*ROOT.glob("messaging_service/*/grpc/*.py"), *ROOT.glob("pricing_service/transport/*.py")])


def servicers() -> list[type[Any]]:
    """The servicers of both services."""
    found = []
    for path in FILES:
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        found += [
            each
            for name, each in vars(module).items()
            if name.endswith("Servicer") and inspect.isclass(each) and each.__module__ == module.__name__
        ]
    return found


def test_the_servicers_are_found() -> None:
    assert len(servicers()) >= 9


@pytest.mark.parametrize("servicer", servicers(), ids=lambda servicer: servicer.__name__)
def test_a_servicer_is_given_use_cases_and_no_port(servicer: type[Any]) -> None:
    given = get_type_hints(servicer.__init__)
    ports = [name for name, each in given.items() if getattr(each, "_is_protocol", False)]
    assert ports == []
