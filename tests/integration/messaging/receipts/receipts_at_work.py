"""What tests do with receipts."""

from __future__ import annotations

from messaging_service.carriers.domain.submission import DeliveryReceipt
from messaging_service.receipts.receipt_inbox import Worked
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import State
from tests.contract.sms_examples import RECIPIENT, acceptance
from tests.integration.messaging.conftest import (
    record,
    stored,
)
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica


async def bring(outbox: Replica, *receipts: DeliveryReceipt) -> Worked:
    """Stores receipts and works the inbox."""
    await outbox.receipts.store(receipts)
    return await outbox.receipts.work(500)


async def state_of(outbox: Replica, message: Message) -> State:
    return (await stored(outbox, message.id)).state


async def waiting(url: str) -> int:
    return int((await rows(url, "SELECT count(*) FROM receipt WHERE next_try_at IS NOT NULL"))[0][0])


async def unknown(outbox: Replica, url: str, text: str = "Habari", recipient: str = RECIPIENT) -> Message:
    """A message whose process died after the submit."""
    message = await record(outbox, acceptance(claimed=True, message=text, recipient_phone_number=recipient))
    await pass_time(url, 31)
    await outbox.sweep()
    return await stored(outbox, message.id)


async def until_matched_by_address(outbox: Replica, url: str) -> None:
    """Lets the receipts in the inbox wait as long as they do before they are matched to an open outcome."""
    for _ in range(3):
        await outbox.receipts.work(500)
        await pass_time(url, 5)
    await outbox.receipts.work(500)


async def opt_out(url: str) -> None:
    """The phone of the examples wants no messages from anybody any more."""
    await rows(
        url,
        "INSERT INTO suppression (id, phone, source, reason, created_by) "
        "VALUES (gen_random_uuid(), %s, 'operator', 'asked by phone', 'operator')",
        (RECIPIENT,),
    )
