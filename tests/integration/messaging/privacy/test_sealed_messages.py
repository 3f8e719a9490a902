"""Texts are stored under keys, older ones are put there while sends go on, and callers notice nothing of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from grpc.aio import AioRpcError

from messaging_service.privacy.postgres.conversions import FingerprintConversion, MessageConversion
from messaging_service.sending.outbox import Accepted, ListFilter
from messaging_service.shared.domain.states import State
from service_kit.errors import ServiceError
from service_kit.postgres.database import Pool
from tests.contract.sms_examples import acceptance, accepted, refused
from tests.integration.messaging.conftest import WINDOWS, MakeOutbox, record, sent, settle, stored
from tests.integration.messaging.privacy.conftest import ring
from tests.integration.messaging.running_service import service_on
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica
from tests.system.sealing import key_file, sealed_contents
from tests.system.waiting import eventually

OTP = "84210973"
TEXT = f"Your code is {OTP}."
SECRET = '{"session": "84210973"}'
COLUMNS = """
    SELECT (m.*)::text || i.fingerprint::text FROM message m LEFT JOIN idempotency i ON i.message_id = m.id
"""


async def test_nothing_of_a_text_is_in_the_database_and_its_caller_reads_it(sealed: Replica, database_url: str) -> None:
    message = await sent(sealed, accepted(), message=TEXT, custom_data_json=SECRET, message_id="m1")
    found = await stored(sealed, message.id)
    assert (found.text, found.custom_data_json, found.is_text_erased) == (TEXT, SECRET, False)
    (row,) = await rows(database_url, COLUMNS)
    assert OTP not in row[0]
    assert await rows(database_url, "SELECT text, custom_data FROM message") == [(None, None)]


async def test_the_stored_fingerprint_of_a_request_is_no_hash_that_others_can_compute(
    sealed: Replica, database_url: str
) -> None:
    item = acceptance(message=TEXT, message_id="m1")
    await record(sealed, item)
    ((fingerprint,),) = await rows(database_url, "SELECT fingerprint FROM idempotency")
    assert item.fingerprint not in fingerprint
    (again,) = await sealed.accept([acceptance(message=TEXT, message_id="m1")])
    assert isinstance(again, Accepted)
    assert (again.replayed, again.message.text) == (True, TEXT)
    (other,) = await sealed.accept([acceptance(message="another", message_id="m1")])
    assert isinstance(other, ServiceError)
    assert (other.reason, other.metadata["fields"]) == ("MESSAGE_ID_REUSED", "message")


async def test_older_rows_are_sealed_in_steps_and_read_as_before(
    make_outbox: MakeOutbox, sealed: Replica, pool: Pool, keys: Path, database_url: str
) -> None:
    plain = await make_outbox("before")
    before = [
        await sent(plain, accepted(), message=f"{TEXT} {n}", custom_data_json=SECRET, message_id=f"m{n}")
        for n in range(5)
    ]
    assert [(await stored(sealed, message.id)).text for message in before] == [message.text for message in before]
    messages = MessageConversion(pool, ring(pool, keys), settled_s=0)
    prints = FingerprintConversion(pool, ring(pool, keys))
    assert (await messages.step(2)).more, "the task is taken up"
    steps = [await messages.step(2) for _ in range(3)]
    assert [(step.rows, step.more, step.caught_up) for step in steps] == [
        (2, True, False),
        (2, True, False),
        (1, False, True),
    ]
    await prints.step(10)
    assert (await prints.step(10)).rows == 5
    assert (await messages.step(2)).rows == (await prints.step(10)).rows == 0
    assert not [row for row in await rows(database_url, COLUMNS) if OTP in row[0]]
    for message in before:
        found = await stored(sealed, message.id)
        assert (found.text, found.custom_data_json, found.recipient) == (message.text, SECRET, message.recipient)
    (again,) = await sealed.accept([acceptance(message=f"{TEXT} 3", custom_data_json=SECRET, message_id="m3")])
    assert isinstance(again, Accepted)
    assert again.message.id == before[3].id


async def test_conversion_goes_on_while_messages_are_sent_and_settled(
    make_outbox: MakeOutbox, sealed: Replica, pool: Pool, keys: Path, database_url: str
) -> None:
    plain = await make_outbox("before")
    for n in range(30):
        await record(plain, acceptance(message=f"{TEXT} {n}"))
    conversions = [MessageConversion(pool, ring(pool, keys), settled_s=0) for _ in range(2)]
    sending = True

    async def convert(conversion: MessageConversion) -> int:
        done = 0
        while sending or done == 0:
            done += (await conversion.step(7)).rows
        return done

    async def send() -> None:
        nonlocal sending
        for n in range(20):
            await sent(sealed, accepted(), message=f"{TEXT} new {n}")
            for claim in await sealed.claim(3):
                assert claim.message.text.startswith(TEXT)
                await settle(sealed, claim, accepted())
        sending = False

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        converting = [group.create_task(convert(conversion)) for conversion in conversions[:1]]
        group.create_task(send())
    while (await conversions[1].step(100)).more:
        pass
    assert converting[0].result() > 0
    assert await rows(database_url, "SELECT count(*), count(content), count(text) FROM message") == [(50, 50, 0)]
    states = await rows(database_url, "SELECT DISTINCT state FROM message")
    assert states == [(State.ACCEPTED.value,)]


async def test_a_step_that_is_cut_off_is_done_again(
    make_outbox: MakeOutbox, pool: Pool, keys: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(await make_outbox("before"), acceptance(message=TEXT))
    conversion = MessageConversion(pool, ring(pool, keys), settled_s=0)
    await conversion.step(10)
    original = conversion._position

    def cut_off(row: Any) -> Any:
        raise ConnectionError("the process dies between the change and its commit")

    monkeypatch.setattr(conversion, "_position", cut_off)
    with pytest.raises(ConnectionError):
        await conversion.step(10)
    assert await rows(database_url, "SELECT text FROM message") == [(TEXT,)]
    monkeypatch.setattr(conversion, "_position", original)
    assert (await conversion.step(10)).rows == 1
    assert await rows(database_url, "SELECT text FROM message") == [(None,)]


async def test_an_envelope_that_was_moved_to_another_message_reads_as_erased(
    sealed: Replica, database_url: str
) -> None:
    one, other = await record(sealed, acceptance(message=TEXT)), await record(sealed, acceptance(message="other"))
    await rows(
        database_url,
        "UPDATE message SET content = (SELECT content FROM message WHERE id = %s) WHERE id = %s",
        (one.id, other.id),
    )
    assert (await stored(sealed, one.id)).text == TEXT
    moved = await stored(sealed, other.id)
    assert (moved.text, moved.is_text_erased) == ("", True)


async def test_a_text_whose_key_is_destroyed_reads_as_erased_and_is_not_resent(
    sealed: Replica, pool: Pool, keys: Path, database_url: str
) -> None:
    message = await sent(sealed, refused(), message=TEXT, message_id="m1")
    await rows(database_url, "UPDATE data_key SET wrapped = NULL, destroyed_at = now() WHERE month IS NOT NULL")
    later = Replica(pool, "later", WINDOWS, contents=sealed_contents(pool, keys))
    found = await stored(later, message.id)
    assert (found.text, found.custom_data_json, found.is_text_erased, found.total) == ("", None, True, message.total)
    with pytest.raises(ServiceError, match="TEXT_ERASED"):
        await later.resend(message.id, 3, accounts=None)


async def test_without_its_keys_a_text_is_neither_shown_nor_sent_nor_lost(
    sealed: Replica, pool: Pool, tmp_path: Path, database_url: str
) -> None:
    message = await record(sealed, acceptance(message=TEXT))
    folder = tmp_path / "other"
    folder.mkdir()
    stranger = Replica(pool, "stranger", WINDOWS, contents=sealed_contents(pool, key_file(folder, "another")))
    with pytest.raises(ServiceError, match="KEYS_UNAVAILABLE"):
        await stored(stranger, message.id)
    (answer,) = await stranger.accept([acceptance(message=TEXT)])
    assert isinstance(answer, ServiceError)
    assert answer.reason == "KEYS_UNAVAILABLE"
    (claim,) = await stranger.claim(1)
    assert (claim.message.text, claim.message.content is not None) == ("", True)
    unkeyed = Replica(pool, "unkeyed", WINDOWS)
    with pytest.raises(ServiceError, match="KEYS_UNAVAILABLE"):
        await stored(unkeyed, message.id)
    assert await rows(database_url, "SELECT count(*) FROM message WHERE content IS NOT NULL") == [(1,)]


async def test_a_process_without_keys_takes_no_message_on_a_database_that_has_some(
    sealed: Replica, keys: Path, database_url: str
) -> None:
    await sent(sealed, accepted(), message=TEXT)
    async with service_on(database_url) as unkeyed:

        async def refused() -> bool:
            try:
                await unkeyed.send()
            except AioRpcError as error:
                return "KEYS_UNAVAILABLE" in str(error.trailing_metadata())
            return False

        await eventually("nothing is stored in plain any more", refused)
        count = "SELECT count(*) FROM message WHERE text IS NOT NULL"
        before = await rows(database_url, count)
        assert await refused()
        assert await rows(database_url, count) == before
    async with service_on(database_url, kek_file=keys) as keyed:
        assert (await keyed.send(message=TEXT)).entry.message == TEXT


async def test_a_damaged_envelope_reads_as_erased_and_spoils_nothing_beside_it(
    sealed: Replica, database_url: str
) -> None:
    whole = await record(sealed, acceptance(message=TEXT))
    for damage in (b"", b"\x01", b"\x02" + bytes(60), b"\x01" + bytes(60)):
        damaged = await record(sealed, acceptance(message="other"))
        await rows(database_url, "UPDATE message SET content = %s WHERE id = %s", (damage, damaged.id))
    found = await sealed.list(ListFilter("user123"), 10, None)
    assert {(message.text, message.is_text_erased) for message in found} == {(TEXT, False), ("", True)}
    assert (await stored(sealed, whole.id)).text == TEXT
