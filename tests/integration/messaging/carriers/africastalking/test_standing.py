"""When the carrier is up, why it pauses, how it comes back, and how it stops."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from messaging_service.carriers.africastalking.africastalking_carrier import AfricasTalkingCarrier
from messaging_service.carriers.domain.carrier_status import BindState
from messaging_service.carriers.domain.submission import OutcomeKind
from sandbox_carriers.africastalking import AfricasTalkingSandbox
from tests.integration.messaging.carriers.africastalking.conftest import (
    DEADLINE_S,
    NUMBER_OF,
    Carriers,
    Send,
    reserve,
    submission,
)


async def looked(sandbox: AfricasTalkingSandbox, more: int = 1) -> None:
    """Returns when the account was looked at so many times again."""
    wanted = sandbox.account.counts.account_looks + more
    await sandbox.wait_for(lambda: sandbox.account.counts.account_looks >= wanted)


async def come_up(carrier: AfricasTalkingCarrier) -> None:
    assert await carrier.wait_until_up(DEADLINE_S)


async def test_a_carrier_that_answers_is_up_and_shows_its_balance(sandbox: AfricasTalkingSandbox, at: Carriers) -> None:
    carrier = await at(window=7)
    status = carrier.status()
    assert (status.name, status.kind, status.is_up, status.window, status.in_use) == (
        "at",
        "africastalking",
        True,
        7,
        0,
    )
    assert status.balance == Decimal("1785.50")
    assert status.remark is None
    assert [bind.state for bind in status.binds] == [BindState.UP]


async def test_a_carrier_out_of_reach_is_not_up_until_it_answers(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    sandbox.account_status = 0
    carrier = await at(wait=False, response_timeout_s=0.2, connect_timeout_s=0.1)
    assert carrier.status().binds[0].state is BindState.CONNECTING
    await looked(sandbox, 2)
    assert not carrier.is_up
    assert carrier.status().binds[0].state is BindState.WAITING
    assert carrier.status().binds[0].last_error == "unreachable: TimeoutError"
    sandbox.account_status = 200
    await come_up(carrier)
    assert (await send(carrier)).kind is OutcomeKind.ACCEPTED


async def test_a_message_without_an_answer_makes_it_look_and_go_down_when_there_is_none(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(response_timeout_s=0.2, connect_timeout_s=0.1)
    sandbox.account_status = 0
    assert (await send(carrier, NUMBER_OF["silent"])).kind is OutcomeKind.UNKNOWN
    await looked(sandbox, 2)
    assert not carrier.is_up
    sandbox.account_status = 200
    await come_up(carrier)


async def test_an_account_page_out_of_order_does_not_stop_messages(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    sandbox.account_status = 503
    carrier = await at()
    assert (await send(carrier)).kind is OutcomeKind.ACCEPTED
    assert carrier.status().balance is None
    assert carrier.status().binds[0].last_error == "looking at the account: HTTP 503"


async def test_a_key_that_is_refused_pauses_the_carrier_until_it_is_accepted(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(balance_poll_s=0.1)
    sandbox.api_key = "another"
    outcome = await send(carrier)
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.NOT_TAKEN, "CARRIER_ACCOUNT_REFUSED")
    assert outcome.only_elsewhere
    assert not carrier.is_up
    assert carrier.try_reserve() is None
    remark = carrier.status().remark
    assert remark is not None
    assert "HTTP 401" in remark
    assert "api_key" in remark
    assert "sandbox-key" not in remark
    await looked(sandbox, 3)
    assert not carrier.is_up
    sandbox.api_key = "sandbox-key"
    await come_up(carrier)
    assert carrier.status().remark is None
    assert (await send(carrier)).kind is OutcomeKind.ACCEPTED


async def test_a_key_that_is_wrong_from_the_start_never_lets_a_message_out(
    sandbox: AfricasTalkingSandbox, at: Carriers
) -> None:
    carrier = await at(wait=False, api_key="wrong", balance_poll_s=0.05)
    await looked(sandbox, 3)
    assert not carrier.is_up
    assert "refuses the account" in str(carrier.status().remark)
    assert sandbox.account.counts.requests == 0


async def test_money_that_is_used_up_pauses_the_carrier_until_there_is_some(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(balance_poll_s=0.1)
    sandbox.account.balance = Decimal(0)
    outcome = await send(carrier)
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.NOT_TAKEN, "CARRIER_OUT_OF_FUNDS")
    assert not carrier.is_up
    await looked(sandbox, 3)
    assert not carrier.is_up
    assert "used up" in str(carrier.status().remark)
    assert "KES 0.0000" in str(carrier.status().remark)
    sandbox.account.balance = Decimal(100)
    await come_up(carrier)
    assert carrier.status().balance == Decimal(100)
    assert (await send(carrier)).kind is OutcomeKind.ACCEPTED


async def test_a_balance_that_cannot_be_read_does_not_keep_the_carrier_paused(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(balance_poll_s=0.1)
    sandbox.account.balance = Decimal(0)
    assert (await send(carrier)).error_code == "CARRIER_OUT_OF_FUNDS"
    assert not carrier.is_up
    sandbox.currency = "UGX"
    sandbox.account.balance = Decimal(100)
    await come_up(carrier)
    assert (await send(carrier)).kind is OutcomeKind.ACCEPTED


async def test_a_page_of_a_filter_fails_its_message_and_three_in_a_row_pause_the_carrier(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(balance_poll_s=0.2)
    for _ in range(2):
        for _ in range(2):
            outcome = await send(carrier, NUMBER_OF["filtered"])
            assert (outcome.kind, outcome.error_code) == (OutcomeKind.NOT_TAKEN, "REJECTED_BY_CARRIER")
            assert outcome.only_elsewhere
            assert carrier.is_up
        assert (await send(carrier)).kind is OutcomeKind.ACCEPTED
    for _ in range(3):
        await send(carrier, NUMBER_OF["filtered"])
    assert not carrier.is_up
    assert "HTTP 403" in str(carrier.status().remark)
    await come_up(carrier)
    assert (await send(carrier)).kind is OutcomeKind.ACCEPTED


async def test_a_refusal_that_the_account_does_not_show_costs_one_message_a_poll(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(balance_poll_s=0.2)
    loop = asyncio.get_running_loop()
    assert (await send(carrier, NUMBER_OF["no-money"])).kind is OutcomeKind.NOT_TAKEN
    paused_at = loop.time()
    assert not carrier.is_up
    await come_up(carrier)
    assert loop.time() - paused_at >= 0.19


async def test_a_balance_below_the_threshold_is_remarked_on(sandbox: AfricasTalkingSandbox, at: Carriers) -> None:
    sandbox.account.balance = Decimal("499.99")
    carrier = await at(low_balance_kes="500", balance_poll_s=0.05)
    assert carrier.is_up
    assert carrier.status().remark == "the carrier's balance is low, KES 499.9900: top it up"
    sandbox.account.balance = Decimal(500)
    await looked(sandbox, 2)
    assert carrier.status().remark is None


async def test_a_carrier_that_asks_for_less_gets_less(at: Carriers, send: Send) -> None:
    carrier = await at(window=10)
    assert (await send(carrier, NUMBER_OF["throttle"])).error_code == "CARRIER_THROTTLED"
    assert carrier.free_slots == 0
    assert carrier.status().window == 0
    slot = await reserve(carrier)
    assert carrier.status().window == 5
    assert [bind.is_throttled for bind in carrier.status().binds] == [True]
    slot.release()


async def test_stopping_waits_for_answers_that_are_out(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at()
    sending = asyncio.create_task(send(carrier, NUMBER_OF["slow"]))
    await sandbox.wait_for(lambda: sandbox.account.counts.requests == 1)
    await carrier.stop(timeout_s=DEADLINE_S)
    assert (await sending).kind is OutcomeKind.ACCEPTED
    await sandbox.wait_for(lambda: not sandbox.links)


async def test_what_is_out_when_the_time_to_stop_is_over_is_unknown(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at()
    sending = asyncio.create_task(send(carrier, NUMBER_OF["silent"]))
    await sandbox.wait_for(lambda: sandbox.account.counts.requests == 1)
    await carrier.stop(timeout_s=0.05)
    outcome = await sending
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.UNKNOWN, "CARRIER_NO_ANSWER")
    assert carrier.status().binds[0].state is BindState.STOPPED


async def test_a_slot_of_before_the_stop_submits_nothing_after_it(sandbox: AfricasTalkingSandbox, at: Carriers) -> None:
    carrier = await at()
    slot = await reserve(carrier)
    await carrier.stop(timeout_s=0.05)
    outcome = await carrier.submit(slot, submission())
    assert (outcome.kind, outcome.error_code) == (OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE")
    assert sandbox.account.counts.requests == 0


async def test_a_carrier_that_was_stopped_starts_again(at: Carriers, send: Send) -> None:
    carrier = await at()
    await carrier.stop(timeout_s=0.05)
    assert not carrier.is_up
    await carrier.start()
    await come_up(carrier)
    assert (await send(carrier)).kind is OutcomeKind.ACCEPTED


async def test_a_caller_that_leaves_takes_nothing_back_and_the_place_is_kept_until_the_answer(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(window=1)
    sending = asyncio.create_task(send(carrier, NUMBER_OF["slow"]))
    await sandbox.wait_for(lambda: sandbox.account.counts.requests == 1)
    sending.cancel()
    await asyncio.wait({sending})
    assert carrier.free_slots == 0
    assert (await send(carrier)).kind is OutcomeKind.ACCEPTED
    assert sandbox.account.counts.taken == 2
