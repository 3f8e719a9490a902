"""Which ids are taken from callers, and whose id a task works under."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from messaging_service.shared.group_commit import GroupCommit
from service_kit import request_id
from service_kit.logs import name_request


@pytest.mark.parametrize("given", ["a", "3f0c-7", "A1._~:/+=@-", "x" * 128, b"3f0c-7"])
def test_a_safe_id_is_taken_as_it_is(given: str | bytes) -> None:
    assert request_id.valid(given) == (given if isinstance(given, str) else given.decode())
    assert request_id.from_metadata([("other", "1"), ("x-request-id", given)]) == request_id.valid(given)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", 'a"b', "a;b", "a\n", "ä", b"\xff", None])
def test_any_other_is_replaced(given: str | bytes | None) -> None:
    assert request_id.valid(given) is None
    metadata = () if given is None else (("x-request-id", given),)
    assert UUID(request_id.from_metadata(metadata)).version == 7


def test_new_ids_are_unique_and_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_764_547_200_000_000_000
    made = []
    for step in range(100):
        monkeypatch.setattr("service_kit.request_id.time.time_ns", lambda step=step: now + step * 1_000_000)
        made.append(request_id.new_request_id())
    assert made == sorted(set(made))
    assert all(UUID(each).variant == "specified in RFC 4122" for each in made)


def test_a_line_names_the_request_unless_it_says_whose_it_is() -> None:
    request_id.bind(None)
    assert "request_id" not in name_request(None, "info", {"event": "one"})
    request_id.bind("r1")
    assert name_request(None, "info", {"event": "one"})["request_id"] == "r1"
    assert name_request(None, "info", {"event": "one", "request_id": "r2"})["request_id"] == "r2"
    request_id.bind(None)


async def test_a_flush_for_many_requests_is_the_work_of_none_of_them() -> None:
    seen: list[str | None] = []

    async def flush(items: list[int]) -> list[int]:
        seen.append(request_id.current())
        return items

    commit: GroupCommit[int, int] = GroupCommit("test", flush, max_batch=10, max_waiting=10)  # type: ignore[arg-type]

    async def ask(number: int) -> tuple[int, str | None]:
        request_id.bind(f"r{number}")
        return await commit.submit(number), request_id.current()

    answers = await asyncio.gather(ask(1), ask(2))
    assert tuple(answers) == ((1, "r1"), (2, "r2"))
    assert seen == [None]
