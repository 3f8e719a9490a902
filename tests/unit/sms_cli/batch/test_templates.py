"""Texts with placeholders: what is read, what is refused, and what comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_cli.batch.templates import parse_template


@pytest.mark.parametrize(
    ("text", "names", "rendered"),
    [
        ("Hello", (), "Hello"),
        ("Hello {name}.", ("name",), "Hello Amina."),
        ("{name}", ("name",), "Amina"),
        ("{name}{amount}{name}", ("name", "amount", "name"), "Amina{7}Amina"),
        ("{{{name}}} {{name}} }}{{", ("name",), "{Amina} {name} }{"),
        ("{ name }, {first name}", ("name", "first name"), "Amina, A."),
        ("Habari {name} 😀\n{{", ("name",), "Habari Amina 😀\n{"),
    ],
)
def test_a_placeholder_stands_for_a_value_and_doubled_braces_for_braces(
    text: str, names: tuple[str, ...], rendered: str
) -> None:
    template = parse_template(text)
    assert template.names == names
    assert template.render({"name": "Amina", "amount": "{7}", "first name": "A."}) == rendered


@pytest.mark.parametrize(
    ("text", "character"), [("a {", 3), ("}", 1), ("{}", 1), ("ab { }", 4), ("{a{b}", 1), ("{a}} ", 4), ("{{a}", 4)]
)
def test_a_brace_that_names_nothing_is_shown_with_its_place(text: str, character: int) -> None:
    with pytest.raises(ValueError, match=f"at character {character} that names nothing; write {{name}}"):
        parse_template(text)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_text_without_anything_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is empty"):
        parse_template(text)


@given(st.text(min_size=1).filter(lambda text: bool(text.strip())), st.text())
def test_any_text_survives_when_its_braces_are_doubled_and_values_are_taken_as_they_are(text: str, value: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert parse_template(doubled + "{x}" + doubled).render({"x": value}) == text + value + text
