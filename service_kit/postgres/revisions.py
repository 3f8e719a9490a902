"""The revisions of a folder of migrations, read without Alembic, which is slow to import and only needed to migrate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_REVISION: Final = re.compile(r'^revision(?:: str)? = "([^"]+)"$', re.MULTILINE)
_PARENT: Final = re.compile(r'^down_revision(?:: [^=]+)? = (?:"([^"]+)"|None)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Revisions:
    """What the migrations of a folder bring a database to."""

    head: str
    """The newest."""
    older: frozenset[str]
    """All before it."""


def read_revisions(folder: Path) -> Revisions:
    """The revisions in a folder. Raises ValueError for one without migrations, and for any that are not one line."""
    parents: dict[str, str | None] = {}
    for file in sorted((folder / "versions").glob("*.py")):
        source = file.read_text(encoding="utf-8")
        revision, parent = _REVISION.search(source), _PARENT.search(source)
        if revision is None or parent is None:
            raise ValueError(f"{file.name} does not say its revision and down_revision as literals, each on a line")
        parents[revision[1]] = parent[1]
    heads = set(parents) - set(parents.values())
    if len(heads) != 1:
        raise ValueError(f"{len(heads)} newest migrations in {folder} instead of one: {', '.join(sorted(heads))}")
    (head,) = heads
    return Revisions(head, frozenset(parents) - {head})
