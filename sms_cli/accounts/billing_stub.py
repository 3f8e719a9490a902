"""A client of the billing of messaging."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service_kit.grpc.channel import open_channel
from sms_cli.shared.connections import readable_errors
from sms_cli.shared.local_settings import client_settings
from tukupay.sms.messaging.v1 import billing_pb2_grpc

TIMEOUT_S = 20.0
PAGE = 1_000


@asynccontextmanager
async def billing_stub() -> AsyncIterator[billing_pb2_grpc.BillingServiceAsyncStub]:
    """A client; failures are raised in words for people."""
    messaging = client_settings().messaging
    async with open_channel(messaging) as channel:
        with readable_errors("messaging", messaging):
            yield billing_pb2_grpc.BillingServiceStub(channel)
