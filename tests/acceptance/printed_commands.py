"""The commands that README and the guides print, read from their code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Printed:
    """One command of a document."""

    document: str
    text: str
    """As it stands there, without the prompt, over as many lines as it has."""


def commands(document: Path) -> Iterator[Printed]:
    """The commands of a document in their order: after `$ `, or all of a block of `sh`."""
    name = document.relative_to(ROOT).as_posix()
    for language, block in _BLOCK.findall(document.read_text("utf-8")):
        if language == "sh":
            yield Printed(name, block.strip())
        elif language in {"", "console"}:
            lines = iter(block.splitlines())
            for line in lines:
                if line.startswith("$ "):
                    text = line[2:]
                    while text.endswith("\\") or text.count("'") % 2:
                        text += "\n" + next(lines)
                    yield Printed(name, text)


def files(document: Path) -> dict[str, str]:
    """The files whose content a document shows by `cat NAME`."""
    found: dict[str, str] = {}
    for _, block in _BLOCK.findall(document.read_text("utf-8")):
        for match in re.finditer(r"^\$ cat (\S+)\n(.*?)(?=^\$ |\Z)", block, re.MULTILINE | re.DOTALL):
            found[match[1]] = match[2]
    return found
