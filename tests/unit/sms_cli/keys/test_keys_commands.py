"""API keys at the terminal: what each command asks of messaging, and what it prints."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.text_format import MessageToString
from grpc import aio
from typer.testing import CliRunner
from typing_extensions import override

from service_kit.errors import Violation, invalid
from service_kit.grpc.grpc_errors import ErrorInterceptor
from service_kit.grpc.timestamps import to_timestamp
from sms_cli.application import application
from sms_cli.keys.key_times import parse_end, parse_length
from sms_cli.keys.keys_commands import NOT_SEEN_AGAIN
from sms_cli.shared.command_error import CommandError
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb
from tukupay.sms.messaging.v1.access_pb2_grpc import AccessServiceServicer, add_AccessServiceServicer_to_server

AT = to_timestamp(datetime(2026, 12, 1, 8, 30, tzinfo=UTC))
LATER = to_timestamp(datetime(2027, 1, 1, tzinfo=UTC))
OLD, NEW = "tk_live_4fQ2bT9x", "tk_live_00000000"
SECRET = f"{NEW}00000000000000000000000000000000003gtBsI"


def key(key_id: str, **fields: Any) -> pb.ApiKey:
    terms = pb.KeyTerms(
        name="the till",
        mode=common.ACCESS_MODE_LIVE,
        accounts=["shop", "till"],
        scopes=["sms:read", "sms:send"],
        messages_per_minute=600,
        daily_spend_micros=2_500_000_000,
    )
    return pb.ApiKey(
        key_id=key_id,
        terms=terms,
        created_time=AT,
        created_by="operator:amina",
        **{"status": pb.KEY_STATUS_ACTIVE, **fields},
    )


class Messaging(AccessServiceServicer):
    """Has one key, and makes one; what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.address = ""

    def note(self, name: str, request: Message) -> None:
        self.asked.append(f"{name} {MessageToString(request, as_one_line=True)}".strip())

    @override
    async def CreateKey(self, request: pb.CreateKeyRequest, context: Any) -> pb.CreateKeyResponse:
        self.note("CreateKey", request)
        if "sms:sent" in request.terms.scopes:
            raise invalid([Violation("terms.scopes", "INVALID_VALUE", "'sms:sent' is no scope")])
        return pb.CreateKeyResponse(key=key(NEW), secret=SECRET)

    @override
    async def GetKey(self, request: pb.GetKeyRequest, context: Any) -> pb.GetKeyResponse:
        self.note("GetKey", request)
        return pb.GetKeyResponse(key=key(request.key_id, last_used_time=AT))

    @override
    async def ListKeys(self, request: pb.ListKeysRequest, context: Any) -> pb.ListKeysResponse:
        self.note("ListKeys", request)
        if request.user_id == "nobody":
            return pb.ListKeysResponse()
        if request.page_token:
            ended = key(OLD, status=pb.KEY_STATUS_REVOKED, revoked_time=LATER, revoked_by="operator:amina")
            return pb.ListKeysResponse(keys=[ended])
        return pb.ListKeysResponse(keys=[key(NEW)], next_page_token="more")

    @override
    async def RotateKey(self, request: pb.RotateKeyRequest, context: Any) -> pb.RotateKeyResponse:
        self.note("RotateKey", request)
        replaced = key(OLD, replaced_by_key_id=NEW)
        replaced.terms.expires_time.CopyFrom(LATER)
        return pb.RotateKeyResponse(key=key(NEW), secret=SECRET, replaced=replaced)

    @override
    async def RevokeKey(self, request: pb.RevokeKeyRequest, context: Any) -> pb.RevokeKeyResponse:
        self.note("RevokeKey", request)
        ended = key(OLD, status=pb.KEY_STATUS_REVOKED, revoked_time=AT, revoked_by="operator:amina")
        return pb.RevokeKeyResponse(key=ended)


@pytest.fixture
def messaging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Messaging]:
    made: Any = Messaging()  # type: ignore[abstract]  # the other calls are not for people
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> aio.Server:
        server = aio.server(interceptors=[ErrorInterceptor()])
        add_AccessServiceServicer_to_server(made, server)
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
    done = CliRunner().invoke(application, ("keys", *arguments))
    failure = done.exception if isinstance(done.exception, CommandError) else None
    printed = done.output + (f"{failure} -> {failure.remedy}" if failure else "")
    assert done.exit_code == code, printed
    return printed


def test_a_key_is_made_and_printed_once_with_what_it_may_do(messaging: Messaging) -> None:
    printed = run(
        *("create", "--name", "the till", "--account", "shop", "--account", "till", "--scope", "sms:send"),
        *("--network", "10.0.0.0/8", "--expires", "2027-01-01T03:00:00+03:00", "--app", "pos", "--mode", "test"),
        *("--messages-per-minute", "600", "--daily-spend", "2500"),
    )
    assert messaging.asked == [
        'CreateKey terms { name: "the till" mode: ACCESS_MODE_TEST accounts: "shop" accounts: "till" app_id: "pos" '
        'scopes: "sms:send" networks: "10.0.0.0/8" expires_time { seconds: 1798761600 } messages_per_minute: 600 '
        "daily_spend_micros: 2500000000 }"
    ]
    first, second, *others = printed.splitlines()
    assert (first, second) == (SECRET, NOT_SEEN_AGAIN)
    assert ["accounts", "shop", "till"] in [line.split() for line in others]
    assert printed.count(SECRET) == 1


def test_a_key_for_all_accounts_says_so(messaging: Messaging) -> None:
    made = json.loads(run("create", "--name", "ops", "--all-accounts", "--scope", "*", "--json"))
    assert messaging.asked == ['CreateKey terms { name: "ops" mode: ACCESS_MODE_LIVE all_accounts: true scopes: "*" }']
    assert (made["secret"], made["key"]["keyId"], made["key"]["dailySpend"]) == (SECRET, NEW, "2500")


def test_options_at_fault_are_named(messaging: Messaging) -> None:
    assert "name an account, or say --all-accounts" in run("create", "--name", "n", "--scope", "sms:send", code=2)
    some = ("create", "--name", "n", "--account", "shop", "--scope")
    assert "'team' is none of live, test" in run(*some, "sms:send", "--mode", "team", code=2)
    assert "not a time such as" in run(*some, "sms:send", "--expires", "soon", code=2)
    assert "not an amount in KES" in run(*some, "sms:send", "--daily-spend", "much", code=2)
    assert "'ended' is none of active, expired, revoked" in run("list", "--status", "ended", code=2)
    assert messaging.asked == []
    assert "--scope: 'sms:sent' is no scope" in run(*some, "sms:sent", code=1)


def test_keys_are_listed_over_all_pages(messaging: Messaging) -> None:
    printed = run("list", "--account", "shop", "--status", "active")
    assert [line.split("\t") for line in printed.splitlines()] == [
        ["key", "name", "status", "accounts", "scopes", "last used", "ends"],
        [NEW, "the till", "active", "shop till", "sms:read sms:send", "never", ""],
        [OLD, "the till", "revoked", "shop till", "sms:read sms:send", "never", "2027-01-01T00:00:00Z"],
    ]
    asked = 'ListKeys user_id: "shop" status: KEY_STATUS_ACTIVE page_size:'
    assert messaging.asked == [f"{asked} 50", f'{asked} 49 page_token: "more"']
    assert len(json.loads(run("list", "--limit", "1", "--json"))) == 1
    assert run("list", "--account", "nobody") == "There is no such key.\n"


def test_a_key_is_shown(messaging: Messaging) -> None:
    record = json.loads(run("show", OLD, "--json"))
    assert record == {
        "keyId": OLD,
        "name": "the till",
        "mode": "live",
        "status": "active",
        "allAccounts": False,
        "accounts": ["shop", "till"],
        "appId": None,
        "scopes": ["sms:read", "sms:send"],
        "networks": [],
        "expiresAt": None,
        "messagesPerMinute": 600,
        "dailySpend": "2500",
        "createdAt": "2026-12-01T08:30:00.000Z",
        "createdBy": "operator:amina",
        "lastUsedAt": "2026-12-01T08:30:00.000Z",
        "revokedAt": None,
        "revokedBy": None,
        "replacedBy": None,
    }
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in run("show", OLD).splitlines()}
    assert (lines["networks"], lines["scopes"], lines["accounts"]) == ("any", "sms:read sms:send", "shop till")


def test_a_key_is_rotated_with_an_overlap(messaging: Messaging) -> None:
    printed = run("rotate", OLD)
    run("rotate", OLD, "--overlap", "7d")
    assert json.loads(run("rotate", OLD, "--overlap", "0", "--json"))["replaced"]["replacedBy"] == NEW
    assert messaging.asked == [
        f'RotateKey key_id: "{OLD}" overlap {{ seconds: 86400 }}',
        f'RotateKey key_id: "{OLD}" overlap {{ seconds: 604800 }}',
        f'RotateKey key_id: "{OLD}" overlap {{ }}',
    ]
    assert printed.startswith(f"{SECRET}\n{NOT_SEEN_AGAIN}\n")
    assert printed.endswith(f"{OLD} is valid until 2027-01-01T00:00:00.000Z: use the new key everywhere before.\n")


def test_a_key_is_revoked(messaging: Messaging) -> None:
    assert run("revoke", OLD) == f"{OLD} is revoked since 2026-12-01T08:30:00.000Z, by operator:amina.\n"
    assert json.loads(run("revoke", OLD, "--json"))["status"] == "revoked"


def test_a_whole_key_is_sent_nowhere_and_not_printed(messaging: Messaging) -> None:
    for command in ("show", "rotate", "revoke"):
        printed = run(command, SECRET, code=2)
        assert "give its first 16 characters" in printed
        assert SECRET[16:] not in printed
    assert messaging.asked == []


@pytest.mark.parametrize(
    ("text", "length"),
    [("0", timedelta()), ("90s", timedelta(seconds=90)), ("24h", timedelta(days=1)), ("30d", timedelta(days=30))],
)
def test_lengths_of_time_are_read(text: str, length: timedelta) -> None:
    assert parse_length(text) == length


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "1w", "1 h", "9999999d", "١h"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a length of time such as"):
        parse_length(text)


def test_an_end_is_an_instant_or_so_long_from_now() -> None:
    assert parse_end("2027-01-01T03:00:00+03:00") == datetime(2027, 1, 1, tzinfo=UTC)
    assert abs(parse_end("90d") - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    assert parse_end("999999d").year > 4700
