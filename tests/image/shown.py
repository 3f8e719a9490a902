"""Figures for whoever runs these tests."""

from __future__ import annotations

import sys


def show(line: str) -> None:
    """Prints a line, which pytest keeps to itself without `-s`."""
    sys.stdout.write(f"\n{line}\n")
