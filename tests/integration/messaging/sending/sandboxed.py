"""A service with real and sandbox carriers, and callers with test credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from service_kit.access.principal import AccessMode, Principal, PrincipalKind
from service_kit.access.principal_messages import METADATA_KEY, from_principal
from tests.doubles.scripted_carrier import ScriptedCarrier
from tests.integration.messaging.running_service import Running, message, service_on
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import (
    accounts_pb2,
)
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

CARRIER = """
[[carriers]]
name = "{name}"
kind = "smpp"
host = "127.0.0.1"
port = 2775
system_id = "unused"
password_file = "{password}"
sandbox = {sandbox}
"""
SCOPES = frozenset({"sms:send", "sms:read", "pii:read"})
TEST_KEY = Principal("tk_test_4fQ2bT9x", PrincipalKind.API_KEY, None, SCOPES, mode=AccessMode.TEST)
LIVE_KEY = Principal("tk_live_8kLm0P2q", PrincipalKind.API_KEY, None, SCOPES)
TEST, LIVE = access_pb2.ACCESS_MODE_TEST, access_pb2.ACCESS_MODE_LIVE
NOTHING_SPENT = (0, 0)


def as_caller(principal: Principal) -> tuple[tuple[str, bytes], ...]:
    return ((METADATA_KEY, from_principal(principal).SerializeToString()),)


AS_TEST = as_caller(TEST_KEY)


@asynccontextmanager
async def service(
    url: str,
    folder: Path,
    *,
    real: Iterable[str] = ("safaricom",),
    sandboxes: Iterable[str] = ("sandbox",),
    **more: Any,
) -> AsyncIterator[tuple[Running, dict[str, ScriptedCarrier]]]:
    password = folder / "password"
    password.write_text("unused")
    names = dict.fromkeys(real, "false") | dict.fromkeys(sandboxes, "true")
    file = folder / "carriers.toml"
    file.write_text(
        "".join(CARRIER.format(name=name, password=password, sandbox=sandbox) for name, sandbox in names.items())
    )
    several = {name: ScriptedCarrier(name=name) for name in names}
    none: dict[str, Any] = dict.fromkeys(("smpp_host", "smpp_port", "smpp_system_id", "smpp_password"))
    async with service_on(url, several=several, carriers_file=file, **none, **more) as running:
        yield running, several


async def sent(running: Running, **fields: Any) -> pb.OutboxEntry:
    return (await running.sms.SendSms(message(**fields), metadata=AS_TEST)).entry


async def resent(running: Running, outbox_id: str) -> pb.OutboxEntry:
    return (await running.sms.ResendSms(pb.ResendSmsRequest(outbox_id=outbox_id), metadata=AS_TEST)).entry


async def books_verify(running: Running) -> None:
    verified = await running.accounts.VerifyBooks(accounts_pb2.VerifyBooksRequest())
    assert not verified.faults
