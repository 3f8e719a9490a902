"""A service with channels to receivers on the loopback, through apprise in its real process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

from messaging_service.notices.domain.channels import WELL_KNOWN
from messaging_service.wiring.settings.channel_values import smtp_relay
from tests.doubles.mail_receiver import Relay
from tests.doubles.webhook_receiver import Receiver, receiver
from tests.integration.messaging.running_service import Running, service_on
from tukupay.sms.messaging.v1 import channels_pb2 as pb
from tukupay.sms.messaging.v1 import channels_pb2_grpc

CANARY = "canary-of-a-room"
"""Part of every URL of a service in these tests."""
OPEN: dict[str, Any] = {
    "webhook_poll_s": 0.05,
    "channel_join_s": 0.0,
    "channel_services": WELL_KNOWN | {"json"},
    "channel_allowed_networks": (ip_network("127.0.0.0/8"),),
}


def through(relay: Relay) -> dict[str, Any]:
    """Settings of a service that hands mail to a relay."""
    url = f"smtp://postmaster:canary-of-the-relay@127.0.0.1:{relay.port}"
    return {"channel_smtp_url": smtp_relay(url), "channel_email_from": "alerts@tukupay.example"}


def channels(service: Running) -> channels_pb2_grpc.ChannelServiceAsyncStub:
    return channels_pb2_grpc.ChannelServiceStub(service.channel)


def room(system: Receiver) -> str:
    """A room of a messenger that takes JSON."""
    return f"json://127.0.0.1:{system.port}/{CANARY}"


async def made(service: Running, **fields: Any) -> pb.Channel:
    request = pb.CreateChannelRequest(**({"user_id": "user123"} | fields))
    return (await channels(service).CreateChannel(request)).channel


async def tried_test(service: Running, channel_id: str) -> pb.ChannelDelivery:
    """A test, once it was tried."""
    test = (await channels(service).TestChannel(pb.TestChannelRequest(channel_id=channel_id))).delivery
    async with asyncio.timeout(40):
        while not test.HasField("last_try_time"):
            found = await deliveries(service, channel_id)
            test = next(one for one in found if one.delivery_id == test.delivery_id)
    return test


async def deliveries(service: Running, channel_id: str, **fields: Any) -> list[pb.ChannelDelivery]:
    request = pb.ListChannelDeliveriesRequest(channel_id=channel_id, **fields)
    return list((await channels(service).ListChannelDeliveries(request)).deliveries)


@asynccontextmanager
async def both(url: str, **choices: Any) -> AsyncIterator[tuple[Running, Receiver]]:
    async with receiver() as system, service_on(url, **(OPEN | choices)) as service:
        yield service, system
