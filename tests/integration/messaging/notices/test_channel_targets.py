"""Targets that lead inward, tried through apprise in its real process against a receiver that listens there."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from messaging_service.notices.channels.children import Children
from messaging_service.notices.metrics.channel_metrics import ChannelMetrics
from tests.doubles.webhook_receiver import receiver

pytestmark = pytest.mark.timeout(90)
HOSTS = (
    *(
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
    ),
    *("0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "user:password@127.0.0.1"),
)


async def test_nothing_reaches_a_receiver_in_a_network_that_is_not_open() -> None:
    configuration = {"services": ["json", "xml", "form", "jsons"], "networks": [], "relay": None}
    children = Children(configuration, ChannelMetrics(CollectorRegistry()), at_most=1, timeout_s=30, idle_s=60)
    async with receiver() as system:
        for schema in configuration["services"] or ():
            for host in HOSTS:
                url = f"{schema}://{host}:{system.port}/"
                checked = await children.ask({"do": "check", "url": url})
                assert checked["problem"], url
                posted = await children.ask({"do": "post", "url": url, "title": "a title", "body": "a body"})
                # Where apprise makes nothing of a spelling, there is nothing to connect to.
                assert posted["error"] in {"TARGET_REFUSED", "SERVICE_NOT_ALLOWED", "NAME_NOT_RESOLVED"}, url
        assert system.connections == 0
        opened = Children(
            configuration | {"networks": ["127.0.0.0/8"]},
            ChannelMetrics(CollectorRegistry()),
            at_most=1,
            timeout_s=30,
            idle_s=60,
        )
        post = {"do": "post", "url": f"json://localhost:{system.port}/", "title": "a title", "body": "a body"}
        assert await opened.ask(post) == {"status": 204, "error": None}
        assert len(system.received) == 1
        await opened.close()
    await children.close()
