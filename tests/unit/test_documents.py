"""The documents hang together: decisions are numbered, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("deploy/**/*.md")]
)
DECISIONS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))

_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def test_decisions_are_numbered_without_a_gap_and_say_their_number() -> None:
    assert [int(decision.name[:4]) for decision in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for number, decision in enumerate(DECISIONS, start=1):
        assert decision.read_text(encoding="utf-8").startswith(f"# {number}. "), decision.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = _LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["glossary.md", "development.md"])
def test_files_that_the_maps_name_are_there(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    # Those of messaging are named from its folder on.
    files = set(re.findall(r"`([a-z_/]+/[a-z_0-9]+\.py)`", text))
    assert files
    assert (
        sorted(file for file in files if not any((base / file).exists() for base in (ROOT, ROOT / "messaging_service")))
        == []
    )
