"""What is said about a text that goes out in UCS-2, and the text that is proposed for it."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.texts import gsm7
from messaging_service.texts.gsm7_advice import Gsm7Advice, advise
from messaging_service.texts.gsm7_near import near
from messaging_service.texts.segmentation import segment

ALPHABET = gsm7.BASIC.replace(gsm7.ESCAPE, "") + "".join(gsm7.EXTENSION)
WITH_NEAR = [
    character for code in range(0x3000) if not gsm7.is_gsm7(character := chr(code)) and near(character) is not None
]
TEXTS = st.text(
    st.one_of(st.sampled_from(ALPHABET), st.sampled_from(WITH_NEAR), st.characters(codec="utf-8")), min_size=1
)
NEAR_TEXTS = st.text(st.one_of(st.sampled_from(ALPHABET), st.sampled_from(WITH_NEAR)), min_size=1)


def advice_on(text: str) -> Gsm7Advice:
    advice = advise(segment(text))
    assert advice is not None
    return advice


def test_a_text_in_gsm7_needs_no_advice() -> None:
    assert advise(segment("Habari {~} €5 à Ñ\n")) is None


def test_the_characters_are_named_once_in_their_order_with_their_count() -> None:
    advice = advice_on("Your balance isn’t – and won’t be – KES 5…")
    assert [(c.character, c.code_point, c.name, c.count, c.replacement) for c in advice.characters] == [
        ("’", "U+2019", "RIGHT SINGLE QUOTATION MARK", 2, "'"),
        ("–", "U+2013", "EN DASH", 2, "-"),
        ("…", "U+2026", "HORIZONTAL ELLIPSIS", 1, "..."),
    ]
    assert advice.text == "Your balance isn't - and won't be - KES 5..."


def test_a_character_beyond_the_basic_plane_and_one_without_a_name_are_told_too() -> None:
    smile, private = advice_on("😀\ue000").characters
    assert (smile.code_point, smile.name) == ("U+1F600", "GRINNING FACE")
    assert (private.code_point, private.name) == ("U+E000", "")


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("“Karibu” ‘sana’ «oui»", '"Karibu" \'sana\' "oui"'),
        ("a‐b‑c–d—e−f", "a-b-c-d-e-f"),
        ("5\u00a0000\u2009KES\u3000\u202f!\tx", "5 000 KES  ! x"),
        ("ça va, Çelik, façade", "ca va, Çelik, facade"),
        ("éèàñöüäåøæß kept, êâîôûëïșțžłđı not", "éèàñöüäåøæß kept, eaioueistzldi not"),
        ("Việt Nam, ǟ", "Viet Nam, ä"),
        ("ɗan ƙwarai, Ɔdɔ, ŋaam, Ngũgĩ", "dan kwarai, Odo, ngaam, Ngugi"),
        ("ﬁrst oﬃce œuvre Œuvre STRAẞE", "first office oeuvre OEuvre STRASSE"),
        ("Ａｌｅｒｔ！ １２３", "Alert! 123"),
        ("𝐅𝐫𝐞𝐞 𝟚𝟜/𝟟", "Free 24/7"),
        ("10 m², ㎏, №5, ⅷ, ª, CO₂", "10 m2, kg, No5, viii, a, CO2"),
        ("₦500, ₵20, 5¢, ₹7, ￥9", "NGN500, GHS20, 5c, INR7, ¥9"),
        ("25°C ±2, 3×4, 1≤2", "25degC +/-2, 3x4, 1<=2"),
        ("zero\u200bwidth\ufeff 1\ufe0f\u20e3 so\u00adft", "zerowidth 1 soft"),
        ("an\u0303o, e\u0301te\u0301, s\u0326i", "año, été, si"),
        ("line\u2028line", "line\nline"),
    ],
)
def test_the_nearest_text_reads_the_same(text: str, nearest: str) -> None:
    assert advice_on(text).text == nearest


@pytest.mark.parametrize(
    "text",
    [
        "Karibu 🙂",
        "Habari Привет",
        "مرحبا",
        "你好",
        "1½ kg",
        "a ≮ b",
        "5\u0336",
        "10⁶",
        "①",
        "\x1b",
        "अ\u093f",
        "\u200b",
    ],
)
def test_what_would_lose_its_sense_has_no_nearest_text(text: str) -> None:
    advice = advice_on(text)
    assert (advice.text, advice.units, advice.saved_units) == (None, 0, 0)
    assert advice.savings(Decimal("0.6")) == 0


def test_one_character_without_a_near_one_leaves_the_others_theirs() -> None:
    advice = advice_on("It’s 🙂")
    assert [c.replacement for c in advice.characters] == ["'", None]
    assert advice.text is None


def test_the_saving_is_that_of_the_units() -> None:
    advice = advice_on("It’s due. " + "a" * 140)
    assert (advice.units, advice.saved_units, advice.savings(Decimal("0.6"))) == (1, 2, Decimal("1.2"))


@pytest.mark.parametrize(("text", "units"), [("It’s", 1), ("…" * 60, 2)])
def test_a_text_that_is_no_shorter_saves_nothing(text: str, units: int) -> None:
    advice = advice_on(text)
    assert (advice.units, advice.saved_units) == (units, 0)


def test_what_stands_in_for_a_character_is_gsm7_for_all_of_unicode() -> None:
    for code in range(sys.maxunicode + 1):
        replacement = near(chr(code))
        assert replacement is None or gsm7.is_gsm7(replacement), hex(code)


@given(TEXTS)
def test_the_characters_are_those_that_gsm7_lacks(text: str) -> None:
    advice = advise(segment(text))
    listed = [c.character for c in advice.characters] if advice else []
    assert listed == list(dict.fromkeys(c for c in text if not gsm7.is_gsm7(c)))
    if advice:
        assert all(c.count == text.count(c.character) for c in advice.characters)


@given(NEAR_TEXTS)
def test_the_text_is_gsm7_and_keeps_every_character_that_was(text: str) -> None:
    advice = advise(segment(text))
    if advice is None or advice.text is None:
        return
    assert gsm7.is_gsm7(advice.text)
    assert advice.units == segment(advice.text).units
    # An accent that stands by itself joins its letter, as in the composed form of the same text.
    assert keeps(advice.text, (c for c in unicodedata.normalize("NFC", text) if gsm7.is_gsm7(c)))
    if not any(unicodedata.combining(c) for c in text):
        assert keeps(advice.text, (c for c in text if gsm7.is_gsm7(c)))


def keeps(text: str, characters: Iterator[str]) -> bool:
    """Whether the text has the characters in their order."""
    rest = iter(text)
    return all(character in rest for character in characters)


@given(NEAR_TEXTS)
def test_a_text_whose_characters_all_have_near_ones_has_a_nearest_text(text: str) -> None:
    advice = advise(segment(text))
    if advice is not None and any(c.replacement != "" for c in advice.characters):
        assert advice.text
