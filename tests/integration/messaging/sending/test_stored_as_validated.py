"""Whatever validation lets through, PostgreSQL stores and gives back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging_service.sending.domain.validation import custom_data_problem
from messaging_service.shared.domain.fields import text_problem
from service_kit.errors import ServiceError
from tests.contract.sms_examples import acceptance
from tests.integration.messaging.conftest import record, stored
from tests.system.effort import effort
from tests.system.messaging_replica import Replica

MANY = settings(
    max_examples=effort(60, 1_000),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name} : {value}" for name, value in members) + "}"


PIECES = ["\\u0000", "\\ud83d", "\\ude00", "\\\\", "\\u0041", "u0000", "\\n", "é"]
words = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,320})(\.[0-9]{1,320})?([eE][+-]?[0-9]{1,12})?", fullmatch=True),
)
strings = st.one_of(
    words.map(json.dumps),
    words.map(lambda word: json.dumps(word, ensure_ascii=False)),
    st.lists(
        st.sampled_from(["\\u0000", "\\ud83d", "\\ude00", "\\\\", "\\u0041", "u0000", "\\n", "é"]), max_size=6
    ).map(lambda pieces: f'"{"".join(pieces)}"'),
)
values = st.recursive(
    st.one_of(numbers, strings, st.sampled_from(["true", "false", "null", "NaN"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(st.one_of(strings, st.just('"a"')), inner), max_size=4).map(_object),
    ),
    max_leaves=8,
)


objects = st.lists(st.tuples(st.one_of(strings, st.just('"a"')), values), max_size=4).map(_object)


def exactly(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@MANY
@given(text=objects)
async def test_custom_data_that_passes_is_kept_equal(outbox: Replica, text: str) -> None:
    if custom_data_problem(text) is not None:
        return
    message = await record(outbox, acceptance(custom_data_json=text))
    kept = (await stored(outbox, message.id)).custom_data_json
    assert kept is not None
    assert exactly(kept) == exactly(text)


@MANY
@given(text=objects)
def test_custom_data_that_is_json_for_postgresql_is_refused_for_a_reason_only(database_url: str, text: str) -> None:
    problem = custom_data_problem(text)
    if problem is None or any(reason in problem for reason in ("out of range", "nested", "takes")):
        return
    with psycopg.connect(database_url) as connection:
        try:
            connection.execute("SELECT %s::jsonb", (text,))
        except psycopg.DataError:
            return
    raise AssertionError(f"PostgreSQL can store what was refused: {problem}")


@MANY
@given(
    tags=st.lists(st.text(min_size=1, max_size=50), max_size=20),
    name=st.none() | st.text(min_size=1, max_size=100),
    key=st.none() | st.text(min_size=1, max_size=128),
    app=st.none() | st.text(min_size=1, max_size=64),
    text=st.text(min_size=1, max_size=300),
)
async def test_texts_that_pass_are_kept_equal(
    outbox: Replica, *, tags: list[str], name: str | None, key: str | None, app: str | None, text: str
) -> None:
    # Each by itself, so that a fault of one does not hide the others.
    tags = [tag for tag in tags if text_problem(tag, 50) is None]
    name, key, app = (value if value and text_problem(value, 128) is None else None for value in (name, key, app))
    try:
        item = acceptance(tags=tags, message_name=name, message_id=key, app_id=app, message=text)
    except ServiceError:
        return
    (answer,) = await outbox.accept([item])
    if isinstance(answer, ServiceError):
        assert answer.reason == "MESSAGE_ID_REUSED"
        return
    kept = await stored(outbox, answer.message.id)
    assert (kept.tags, kept.message_name, kept.app_id, kept.text) == (tuple(tags), name, app, text)
    assert kept == answer.message
    assert kept.units == item.request.segmentation.units
