"""How texts are cut, as properties and against an independent Python segmenter."""

from __future__ import annotations

import importlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from messaging_service.shared.domain.encoding import Encoding
from messaging_service.texts import gsm7
from messaging_service.texts.segmentation import Segmentation, segment

# Imported by name because it ships no types.
smsutil: Any = importlib.import_module("smsutil")

ALPHABET = gsm7.BASIC.replace(gsm7.ESCAPE, "") + "".join(gsm7.EXTENSION)


# Drawn by length first: left to itself, hypothesis hardly ever draws a text of more than one part.
@st.composite
def made_of(draw: st.DrawFn, pieces: st.SearchStrategy[str], most: int) -> str:
    count = draw(st.integers(1, most))
    return "".join(draw(st.lists(pieces, min_size=count, max_size=count)))


gsm7_texts = st.one_of(
    made_of(st.sampled_from(ALPHABET), 350),
    # Long runs with an escape pair here and there, so that pairs meet the borders.
    made_of(st.sampled_from(["a" * 50, "b" * 7, "c", "^", "€"]), 40),
)
ucs2_texts = st.one_of(
    made_of(st.characters(exclude_categories=["Cs"]), 200),
    made_of(st.sampled_from(["ж" * 20, "a" * 7, "文", "^", "😀", "🇰🇪"]), 40),
).filter(lambda text: not gsm7.is_gsm7(text))
texts = st.one_of(gsm7_texts, ucs2_texts)

# Without shrinking: making a failing text of some thousand characters smaller takes minutes.
unhurried = settings(deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


def cost(encoding: Encoding, text: str) -> int:
    """Septets, or UTF-16 code units, counted one character at a time."""
    if encoding is Encoding.GSM7:
        return sum(2 if character in gsm7.EXTENSION else 1 for character in text)
    return sum(2 if ord(character) > 0xFFFF else 1 for character in text)


def room(segmentation: Segmentation) -> int:
    if segmentation.encoding is Encoding.GSM7:
        return 160 if segmentation.units == 1 else 153
    return 70 if segmentation.units == 1 else 67


@pytest.mark.parametrize(
    ("text", "encoding", "units"),
    [
        pytest.param("a" * 152 + "^" + "a" * 152, Encoding.GSM7, 3, id="an escape pair at a border"),
        pytest.param("^" * 153, Encoding.GSM7, 3, id="nothing but escape pairs"),
        pytest.param("ж" * 66 + "😀" + "ж" * 66, Encoding.UCS2, 3, id="a surrogate pair at a border"),
        pytest.param("😀" * 67, Encoding.UCS2, 3, id="nothing but surrogate pairs"),
        pytest.param("\f" * 80, Encoding.GSM7, 1, id="form feeds are extension characters"),
        pytest.param("\r\n" * 80, Encoding.GSM7, 1, id="CR LF counts two"),
        pytest.param("\r\n" * 81, Encoding.GSM7, 2, id="CR LF counts two, over the border"),
        pytest.param("🇰🇪" * 33, Encoding.UCS2, 2, id="flags may be split"),
        pytest.param("a" * 160, Encoding.GSM7, 1, id="160 septets"),
        pytest.param("a" * 161, Encoding.GSM7, 2, id="161 septets"),
        pytest.param("a" * 306, Encoding.GSM7, 2, id="306 septets"),
        pytest.param("a" * 307, Encoding.GSM7, 3, id="307 septets"),
        pytest.param("ж" * 70, Encoding.UCS2, 1, id="70 code units"),
        pytest.param("ж" * 71, Encoding.UCS2, 2, id="71 code units"),
        pytest.param("a" * 69 + "^ж", Encoding.UCS2, 2, id="an extension character is one unit of UCS-2"),
        pytest.param("a" * 100_000, Encoding.GSM7, 654, id="a very long text"),
    ],
)
def test_a_text_costs_the_units_that_it_takes_on_the_wire(text: str, encoding: Encoding, units: int) -> None:
    segmentation = segment(text)

    assert (segmentation.encoding, segmentation.units) == (encoding, units)
    assert "".join(segmentation.segments) == text


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        segment("")


@pytest.mark.parametrize(
    "text",
    ["\ud800", "secret ж\ud83d", "secret\ude00 text", "\ud83d\ude00", "a" * 200 + "\udfff"],
)
def test_a_text_with_a_surrogate_code_point_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="surrogate code point") as refusal:
        segment(text)

    assert "secret" not in str(refusal.value)
    assert not isinstance(refusal.value, UnicodeError)
    assert refusal.value.__suppress_context__


@unhurried
@given(texts)
def test_the_segments_join_to_the_text(text: str) -> None:
    segments = segment(text).segments

    assert "".join(segments) == text
    assert all(segments)


@unhurried
@given(texts)
def test_every_segment_fits_its_part(text: str) -> None:
    segmentation = segment(text)

    assert all(cost(segmentation.encoding, part) <= room(segmentation) for part in segmentation.segments)


@unhurried
@given(texts)
def test_no_segment_has_room_for_the_character_that_follows(text: str) -> None:
    segmentation = segment(text)

    for part, following in pairwise(segmentation.segments):
        assert cost(segmentation.encoding, part + following[0]) > room(segmentation)


@unhurried
@given(texts)
@example("a" * 152 + "^" + "a" * 152)
@example("ж" * 66 + "😀" + "ж" * 66)
def test_no_cut_into_fewer_parts_exists(text: str) -> None:
    segmentation = segment(text)
    costs = [cost(segmentation.encoding, character) for character in text]
    single, part = (160, 153) if segmentation.encoding is Encoding.GSM7 else (70, 67)

    if sum(costs) <= single:
        assert segmentation.units == 1
        return
    fewest = [0]  # fewest[n]: parts that the first n characters need, over all the ways to cut them
    for end in range(1, len(costs) + 1):
        taken, start, best = costs[end - 1], end - 1, fewest[end - 1]
        while start > 0 and taken + costs[start - 1] <= part:
            start -= 1
            taken += costs[start]
            best = min(best, fewest[start])
        fewest.append(best + 1)
    assert segmentation.units == fewest[-1]


@unhurried
@given(texts)
def test_an_encoding_is_ucs2_only_when_a_character_needs_it(text: str) -> None:
    needs_ucs2 = any(character not in ALPHABET for character in text)

    assert segment(text).encoding is (Encoding.UCS2 if needs_ucs2 else Encoding.GSM7)


# smsutil counts U+001B as a GSM-7 character and would put a bare escape on the wire.
@unhurried
@given(texts.filter(lambda text: gsm7.ESCAPE not in text))
def test_an_independent_segmenter_cuts_alike(text: str) -> None:
    split = smsutil.split(text)
    segmentation = segment(text)

    assert segmentation.encoding is (Encoding.GSM7 if split.encoding == "gsm0338" else Encoding.UCS2)
    assert list(segmentation.segments) == [part.content for part in split.parts]
