"""Page tokens and cursors are of no use to callers for other accounts than those of whoever got them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from service_kit.access.requirement import Access
from tests.integration.messaging.running_service import message, refusal_of, service_on
from tests.system.known_callers import KnownCallers
from tukupay.sms.messaging.v1 import events_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)


async def test_a_place_in_a_list_or_a_watch_belongs_to_the_accounts_of_its_caller(
    database_url: str, tmp_path: Path
) -> None:
    callers = KnownCallers(tmp_path / "identities.toml")
    both = callers.add("both", "*", accounts=["shop", "till"])
    again = callers.add("again", "*", accounts=["till", "shop"])
    one, every = callers.add("one", "*", accounts=["shop"]), callers.add("every", "*")
    async with service_on(database_url, access=Access.REQUIRED, identities_file=callers.path) as service:
        sent = [await service.sms.SendSms(message(user_id="shop"), metadata=both) for _ in range(2)]
        entry = sent[0].entry.outbox_id
        lists: list[tuple[Any, Any]] = [
            (service.sms.ListOutboxEntries, pb.ListOutboxEntriesRequest(user_id="shop", page_size=1)),
            (service.events.ListOutboxEvents, events_pb2.ListOutboxEventsRequest(outbox_id=entry, page_size=1)),
        ]
        for call, request in lists:
            request.page_token = (await call(request, metadata=both)).next_page_token
            assert request.page_token
            await call(request, metadata=again)
            for foreign in (one, every):
                refused = await refusal_of(call(request, metadata=foreign))
                assert [violation.reason for violation in refused.violations] == ["INVALID_PAGE_TOKEN"]
        beat = Duration(nanos=100_000_000)
        watches: list[tuple[Any, Any]] = [
            (service.events.WatchOutbox, events_pb2.WatchOutboxRequest(user_id="shop", heartbeat_interval=beat)),
            (
                service.events.WatchOutboxEntry,
                events_pb2.WatchOutboxEntryRequest(outbox_id=entry, heartbeat_interval=beat),
            ),
        ]
        for call, request in watches:
            request.cursor = (await anext(aiter(call(request, metadata=both)))).cursor
            await anext(aiter(call(request, metadata=again)))
            for foreign in (one, every):
                refused = await refusal_of(anext(aiter(call(request, metadata=foreign))))
                assert [violation.reason for violation in refused.violations] == ["INVALID_CURSOR"]
