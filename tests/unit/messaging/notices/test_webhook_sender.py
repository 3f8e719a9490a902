"""Where posts go, whatever a name says a moment later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from uuid import uuid4

from messaging_service.notices.delivery_ports import DeliveryAttempt, DeliveryBatch, PendingDelivery
from messaging_service.notices.domain.endpoints import Answer, EndpointKind
from messaging_service.notices.webhooks.guarded_targets import GuardedTargets
from messaging_service.notices.webhooks.webhook_sender import WebhookSender
from tests.doubles.webhook_receiver import receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = (ip_network("127.0.0.0/8"),)


class Names:
    """A name server that answers differently each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        if not self.answers:
            raise OSError("no such name")
        return self.answers.pop(0)


async def posted(names: Names, url: str, deliveries: int) -> list[DeliveryAttempt]:
    targets = GuardedTargets(LOOPBACK, allow_http=True, resolve=names.resolve)
    sender = WebhookSender(targets, timeout_s=5.0, now=lambda: datetime.now(UTC))
    batch = DeliveryBatch(
        uuid4(),
        EndpointKind.WEBHOOK,
        url,
        (SECRET,),
        tuple(PendingDelivery(uuid4(), f"evt_{n}", '{"n":"é"}', 0) for n in range(deliveries)),
        "lease",
    )
    return [one async for one in sender.post(batch)]


async def test_the_connection_goes_to_the_checked_address_and_the_receiver_hears_the_name() -> None:
    async with receiver() as system:
        names = Names(["127.0.0.1"])
        (one,) = await posted(names, f"http://hooks.example:{system.port}/in?x=1", 1)
        assert one.answer == Answer(204, None)
        assert names.asked == 1
        (received,) = system.received
        assert (received.path, received.headers["host"]) == ("/in?x=1", f"hooks.example:{system.port}")
        assert received.is_signed_with(SECRET)


async def test_a_name_that_leads_inward_a_moment_later_is_refused_then() -> None:
    async with receiver() as system:
        names = Names(["127.0.0.1"], ["10.0.0.7"], ["127.0.0.1"])
        tried = await posted(names, f"http://hooks.example:{system.port}/", 3)
        assert [one.answer.error for one in tried] == [None, "TARGET_REFUSED"]
        assert len(system.received) == 1


async def test_a_name_with_an_inward_address_among_others_is_refused_whole() -> None:
    async with receiver() as system:
        tried = await posted(Names(["127.0.0.1", "169.254.169.254"]), f"http://hooks.example:{system.port}/", 1)
        assert tried[0].answer == Answer(None, "TARGET_REFUSED")
        assert not system.connections


async def test_another_address_of_the_name_is_tried_when_the_first_takes_no_connection() -> None:
    async with receiver() as system:
        (one,) = await posted(Names(["127.0.0.2", "127.0.0.1"]), f"http://hooks.example:{system.port}/", 1)
        assert one.answer.taken


async def test_a_name_without_address_and_a_closed_port_have_words_of_their_own() -> None:
    (one,) = await posted(Names(), "http://hooks.example/", 1)
    assert one.answer == Answer(None, "NAME_NOT_RESOLVED")
    async with receiver() as system:
        url = f"http://hooks.example:{system.port}/"
    (one,) = await posted(Names(["127.0.0.1"]), url, 1)
    assert one.answer == Answer(None, "NOT_CONNECTED")


async def test_a_receiver_without_tls_is_told_apart() -> None:
    async with receiver() as system:
        (one,) = await posted(Names(["127.0.0.1"]), f"https://hooks.example:{system.port}/", 1)
    assert one.answer == Answer(None, "TLS_FAILED")
