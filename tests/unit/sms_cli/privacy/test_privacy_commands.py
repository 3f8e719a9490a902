"""Privacy at the terminal: what each command asks of messaging, and what it prints."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from grpc import aio
from typer.testing import CliRunner
from typing_extensions import override

from service_kit.grpc.grpc_errors import ErrorInterceptor
from sms_cli.application import application
from sms_cli.privacy.privacy_commands import UNFINISHED
from sms_cli.shared.command_error import CommandError
from tukupay.sms.messaging.v1 import privacy_pb2 as pb
from tukupay.sms.messaging.v1.privacy_pb2_grpc import PrivacyServiceServicer, add_PrivacyServiceServicer_to_server

PHONE = "+254712345678"


class Messaging(PrivacyServiceServicer):
    """Has two messages to the phone, and wraps 500 keys at once."""

    def __init__(self) -> None:
        self.address = ""
        self.left = 1_200
        self.open_messages = 0

    @override
    async def ErasePhone(self, request: pb.ErasePhoneRequest, context: Any) -> pb.ErasePhoneResponse:
        assert request.phone_number == PHONE
        return pb.ErasePhoneResponse(messages=2, suppressions=1, open_messages=self.open_messages)

    @override
    async def RotateKeys(self, request: pb.RotateKeysRequest, context: Any) -> pb.RotateKeysResponse:
        done = min(self.left, 500)
        self.left -= done
        return pb.RotateKeysResponse(wrapped_by="2026-12", rewrapped=done, more=self.left > 0)

    @override
    async def SetTextRetention(self, request: pb.SetTextRetentionRequest, context: Any) -> pb.SetTextRetentionResponse:
        own = request.HasField("days")
        return pb.SetTextRetentionResponse(days=request.days if own else 0, own=own)


@pytest.fixture
def messaging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Messaging]:
    made = Messaging()
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> aio.Server:
        server = aio.server(interceptors=[ErrorInterceptor()])
        add_PrivacyServiceServicer_to_server(made, server)
        made.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        ready.set()
        return server

    def run_loop() -> None:
        server = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(server.stop(None))
        loop.close()

    thread = threading.Thread(target=run_loop)
    thread.start()
    assert ready.wait(10)
    monkeypatch.setenv("MESSAGING_GRPC_ADDRESS", made.address)
    monkeypatch.setenv("TUKUPAY_HOME", "/nonexistent")
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints, and says of its failure."""
    done = CliRunner().invoke(application, ("privacy", *arguments))
    failure = done.exception if isinstance(done.exception, CommandError) else None
    printed = done.output + (f"{failure} -> {failure.remedy}" if failure else "")
    assert done.exit_code == code, printed
    return printed


def test_an_erasure_says_what_is_gone_and_never_the_phone(messaging: Messaging) -> None:
    printed = run("erase", PHONE)
    assert PHONE[4:] not in printed
    assert [line.split()[-1] for line in printed.splitlines()] == ["2", "0", "0", "0", "1", "0", "0"]
    assert json.loads(run("erase", PHONE, "--json"))["suppressions"] == 1


def test_an_erasure_that_left_something_open_says_so_by_its_exit_code(messaging: Messaging) -> None:
    messaging.open_messages = 1
    assert json.loads(run("erase", PHONE, "--json", code=UNFINISHED))["openMessages"] == 1


def test_a_rotation_goes_on_until_no_key_is_left(messaging: Messaging) -> None:
    assert run("rotate") == "1200 data keys were wrapped anew; 2026-12 wraps all of them.\n"
    assert json.loads(run("rotate", "--json")) == {"wrappedBy": "2026-12", "rewrapped": 0}


def test_a_term_is_set_and_lifted(messaging: Messaging) -> None:
    assert run("retention", "shop", "--days", "30") == "Texts of shop are kept for 30 days.\n"
    assert run("retention", "shop", "--as-all") == "Texts of shop are kept for ever, as for all accounts.\n"
    assert json.loads(run("retention", "shop", "--as-all", "--json")) == {"userId": "shop", "days": 0, "own": False}


def test_a_term_is_never_lifted_by_leaving_it_out(messaging: Messaging) -> None:
    assert "give either --days or --as-all" in run("retention", "shop", code=2)
    assert "give either --days or --as-all" in run("retention", "shop", "--days", "30", "--as-all", code=2)
