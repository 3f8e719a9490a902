"""Texts with placeholders, such as `Hello {name}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKENS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_REMEDY = "write {name} for the value of a column, and {{ or }} for a brace itself"


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders in braces."""

    literals: tuple[str, ...]
    """The text between the placeholders; one piece more than there are placeholders."""
    names: tuple[str, ...]
    """The names of the placeholders in order; a name may appear more than once."""

    def render(self, values: Mapping[str, str]) -> str:
        """The text with the values filled in. Braces in a value have no meaning."""
        parts = [self.literals[0]]
        for name, literal in zip(self.names, self.literals[1:], strict=True):
            parts += values[name], literal
        return "".join(parts)


def parse_template(text: str) -> Template:
    """Reads `{name}` as a placeholder, and `{{` and `}}` as braces; raises ValueError for a brace that is neither."""
    literals, names = [""], list[str]()
    end = 0
    for match in _TOKENS.finditer(text):
        literals[-1] += text[end : match.start()]
        end = match.end()
        name = (match[1] or "").strip()
        if match[0] in {"{{", "}}"}:
            literals[-1] += match[0][0]
        elif not name:
            raise ValueError(f"has a {match[0]} at character {match.start() + 1} that names nothing; {_REMEDY}")
        else:
            names.append(name)
            literals.append("")
    literals[-1] += text[end:]
    if not "".join(literals).strip() and not names:
        raise ValueError("is empty; give the text to send")
    return Template(tuple(literals), tuple(names))
