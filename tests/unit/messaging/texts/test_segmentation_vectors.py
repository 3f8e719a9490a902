"""The vectors of tests/vectors, made with two independent segment calculators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from messaging_service.texts.segmentation import segment

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "segments.json").read_text(encoding="utf-8")
)
CASES: list[dict[str, Any]] = VECTORS["cases"]


def code_units(text: str) -> int:
    return len(text.encode("utf-16-be")) // 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]).encode("unicode-escape").decode())
def test_a_text_is_cut_as_its_vector_says(case: dict[str, Any]) -> None:
    segmentation = segment(case["text"])

    assert "".join(segmentation.segments) == case["text"]
    assert {
        "encoding": segmentation.encoding.value,
        "lengths": [code_units(part) for part in segmentation.segments],
    } == case["expected"]


def test_every_disagreement_between_the_oracles_and_us_is_explained() -> None:
    for case in CASES:
        differing = {oracle for oracle, answer in case["answers"].items() if answer != case["expected"]}
        assert differing == set(case["wrong"]), case["name"]
        assert all(len(reason) > 20 for reason in case["wrong"].values()), case["name"]


def test_at_least_one_oracle_stands_behind_every_vector() -> None:
    for case in CASES:
        assert set(case["answers"]) == {"sms-segments-calculator", "split-sms"}
        assert case["expected"] in case["answers"].values(), case["name"]


def test_the_vectors_are_many_and_named_once() -> None:
    names = [case["name"] for case in CASES]

    assert len(names) >= 400
    assert len(set(names)) == len(names)
