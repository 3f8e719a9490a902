"""Which messages of a phone opt out, and which opt in again."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.domain.opt_out_keywords import OPT_IN_WORDS, OPT_OUT_WORDS, Keywords
from messaging_service.opt_outs.domain.suppression import Directive

WHOLE = Keywords()
FIRST = Keywords(first_word_counts=True)
NOISE = st.text(alphabet=string.punctuation + " \t\r\n\u00a0\u200b…“”！", max_size=6)


def asked(keywords: Keywords, text: str, *, is_opt_out: bool = False) -> Directive:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    return keywords.directive(InboundMessage("smpp", "+254712345678", "22141", text, is_opt_out, now))


def in_cases(word: str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from((letter.lower(), letter.upper())) for letter in word)).map("".join)


@given(st.sampled_from(OPT_OUT_WORDS).flatmap(in_cases), NOISE, NOISE)
def test_a_keyword_opts_out_in_any_case_with_any_punctuation_around_it(word: str, before: str, after: str) -> None:
    assert asked(WHOLE, before + word + after) is Directive.OPT_OUT
    assert asked(FIRST, before + word + after) is Directive.OPT_OUT


@given(st.sampled_from(OPT_IN_WORDS).flatmap(in_cases), NOISE, NOISE)
def test_a_keyword_opts_in_likewise(word: str, before: str, after: str) -> None:
    assert asked(WHOLE, before + word + after) is Directive.OPT_IN
    assert asked(FIRST, before + word + after) is Directive.OPT_IN


@given(
    st.sampled_from((*OPT_OUT_WORDS, *OPT_IN_WORDS)), st.text(alphabet=string.ascii_letters + string.digits, min_size=1)
)
def test_a_longer_word_is_no_keyword(word: str, more: str) -> None:
    longer = word + more
    if longer.lower() not in WHOLE.opt_out | WHOLE.opt_in:
        assert asked(WHOLE, longer) is Directive.NONE
        assert asked(FIRST, longer) is Directive.NONE


@given(st.text(max_size=200))
def test_no_text_upsets_the_reader(text: str) -> None:
    assert asked(WHOLE, text) in Directive
    assert asked(FIRST, text) in Directive
    assert asked(WHOLE, text, is_opt_out=True) is Directive.OPT_OUT


@pytest.mark.parametrize(
    ("text", "whole", "first"),
    [
        ("STOP ALL", Directive.OPT_OUT, Directive.OPT_OUT),
        ("stop sending me this", Directive.NONE, Directive.OPT_OUT),
        ("please stop", Directive.NONE, Directive.NONE),
        ("Koma!", Directive.OPT_OUT, Directive.OPT_OUT),
        ("ANZA tena", Directive.NONE, Directive.OPT_IN),
        ("stopover", Directive.NONE, Directive.NONE),
        ("ＳＴＯＰ", Directive.OPT_OUT, Directive.OPT_OUT),
        ("STOP START", Directive.NONE, Directive.OPT_OUT),
        ("yes", Directive.NONE, Directive.NONE),
        ("", Directive.NONE, Directive.NONE),
        ("...", Directive.NONE, Directive.NONE),
        ("Unsub", Directive.OPT_OUT, Directive.OPT_OUT),
        ("opt-out", Directive.OPT_OUT, Directive.OPT_OUT),
        ("OPT OUT", Directive.OPT_OUT, Directive.OPT_OUT),
        ("revoke", Directive.OPT_OUT, Directive.OPT_OUT),
        ("STOP. I never asked for this", Directive.OPT_OUT, Directive.OPT_OUT),
        ("Stop! Please", Directive.OPT_OUT, Directive.OPT_OUT),
        ("STOP ALL. Thanks.", Directive.OPT_OUT, Directive.OPT_OUT),
        ("Start. Thanks", Directive.OPT_IN, Directive.OPT_IN),
        ("Please. STOP", Directive.NONE, Directive.NONE),
        ("Stop it. Now", Directive.NONE, Directive.OPT_OUT),
        ("STOP? Why", Directive.NONE, Directive.OPT_OUT),
        ("STOP 22141", Directive.OPT_OUT, Directive.OPT_OUT),
        ("stop, 22141!", Directive.OPT_OUT, Directive.OPT_OUT),
        ("STOP 221 41. Thanks", Directive.OPT_OUT, Directive.OPT_OUT),
        ("START 22141", Directive.OPT_IN, Directive.OPT_IN),
        ("STOP 12345", Directive.NONE, Directive.OPT_OUT),
        ("STOP22141", Directive.NONE, Directive.NONE),
        ("22141", Directive.NONE, Directive.NONE),
        ("STOP 22141 22141", Directive.NONE, Directive.OPT_OUT),
    ],
)
def test_where_the_keyword_stands_matters_only_when_the_setting_says_so(
    text: str, whole: Directive, first: Directive
) -> None:
    assert (asked(WHOLE, text), asked(FIRST, text)) == (whole, first)


@pytest.mark.parametrize(
    ("sender_id", "text", "directive"),
    [
        ("TUKUPAY", "stop TukuPay", Directive.OPT_OUT),
        ("TUKU PAY", "Acha tuku pay.", Directive.OPT_OUT),
        ("+254709000111", "STOP +254709000111", Directive.OPT_OUT),
        ("", "STOP 22141", Directive.NONE),
        ("STOP", "STOP", Directive.OPT_OUT),
    ],
)
def test_the_sender_that_was_written_to_may_follow_the_keyword(sender_id: str, text: str, directive: Directive) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert WHOLE.directive(InboundMessage("smpp", "+254712345678", sender_id, text, False, now)) is directive


def test_a_text_that_cannot_be_read_asks_for_nothing_that_is_known() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    message = InboundMessage("smpp", "+254712345678", "22141", None, False, now)
    assert WHOLE.directive(message) is Directive.UNREADABLE
    assert FIRST.directive(message) is Directive.UNREADABLE
