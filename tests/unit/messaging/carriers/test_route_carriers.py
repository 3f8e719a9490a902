"""Who takes the next message of a route."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from messaging_service.carriers.carrier_presence import require_carrier
from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.carrier_status import BindState, BindStatus
from messaging_service.carriers.domain.circuit_breaker import BreakerState
from messaging_service.carriers.domain.routing import Leg
from messaging_service.carriers.domain.submission import Outcome
from service_kit.errors import ServiceError
from tests.contract.sms_examples import not_taken, refused, unanswered
from tests.unit.messaging.carriers.carrier_fleet import SUBMISSION, Carriers

pytestmark = pytest.mark.timeout(10)


async def submit(carriers: Carriers, outcome: Outcome, times: int = 1) -> None:
    """Every carrier answers so, to as many messages as there are."""
    for carrier in carriers.by_name.values():
        carrier.answer = lambda _: outcome
    for _ in range(times):
        slot = carriers.route.try_reserve()
        assert slot is not None
        await slot.submit(SUBMISSION)
        slot.release()


async def test_carriers_of_one_rank_share_by_weight_and_evenly_over_time() -> None:
    carriers = Carriers((Leg("a", weight=5), Leg("b", weight=1), Leg("c", weight=1)))
    chosen = await carriers.chosen(70)
    assert Counter(chosen) == {"a": 50, "b": 10, "c": 10}
    assert max(Counter(chosen[start : start + 7])["a"] for start in range(63)) <= 6


async def test_places_that_are_given_back_do_not_count_toward_a_share() -> None:
    carriers = Carriers((Leg("a", weight=3), Leg("b")))
    chosen = []
    for _ in range(40):
        looks = [carriers.route.try_reserve() for _ in range(4)]
        for slot in looks:
            assert slot is not None
            slot.release()
        chosen += await carriers.chosen(1)
    assert Counter(chosen) == {"a": 30, "b": 10}


async def test_a_carrier_that_was_away_gets_its_share_again_and_not_everything() -> None:
    carriers = Carriers((Leg("a"), Leg("b")))
    carriers["b"].go_down()
    assert set(await carriers.chosen(100)) == {"a"}
    carriers["b"].come_up()
    assert Counter(await carriers.chosen(20))["a"] >= 9


async def test_a_full_window_leaves_its_share_to_the_others_of_its_rank() -> None:
    carriers = Carriers((Leg("a"), Leg("b")), window=1)
    taken = [carriers.route.try_reserve(), carriers.route.try_reserve()]
    assert {slot.carrier for slot in taken if slot is not None} == {"a", "b"}
    assert carriers.route.try_reserve() is None
    assert carriers.route.free_slots == 0


async def test_a_higher_rank_waits_while_a_lower_one_is_merely_full() -> None:
    carriers = Carriers((Leg("main"), Leg("standby", rank=1)), window=2)
    assert [slot.carrier for slot in (carriers.route.try_reserve(), carriers.route.try_reserve()) if slot] == [
        "main"
    ] * 2
    assert await carriers.chosen(1) == ["none"]


@pytest.mark.parametrize("why", ["down", "paused", "drained", "failing"])
async def test_a_higher_rank_serves_while_no_lower_one_is_available(why: str) -> None:
    carriers = Carriers((Leg("main"), Leg("standby", rank=1)))
    if why == "down":
        carriers["main"].go_down()
    elif why == "failing":
        await submit(carriers, unanswered(), times=3)
    else:
        await carriers.fleet.follow({"main": CarrierMode(why)})
    assert await carriers.chosen(2) == ["standby", "standby"]
    assert carriers.route.is_up


async def test_a_carrier_to_avoid_is_passed_over_across_ranks() -> None:
    carriers = Carriers((Leg("main"), Leg("standby", rank=1)))
    assert await carriers.chosen(1, avoid=("main",)) == ["standby"]
    assert await carriers.chosen(1, avoid=("main", "standby")) == ["none"]
    assert carriers.route.others(["main"]) == ["standby"]
    assert not carriers.route.has_another(["main", "standby"])


async def test_whoever_waits_for_the_route_goes_on_when_its_first_carrier_comes_up() -> None:
    carriers = Carriers((Leg("a"), Leg("b")))
    for carrier in carriers.by_name.values():
        carrier.go_down()
    assert not await carriers.route.wait_until_up(0)
    waiting = asyncio.ensure_future(carriers.route.wait_until_up(5))
    await asyncio.sleep(0)
    carriers["b"].come_up()
    assert await waiting


async def test_refusals_and_requests_to_slow_down_do_not_speak_against_a_carrier() -> None:
    carriers = Carriers((Leg("a"),))
    await submit(carriers, refused(), times=10)
    await submit(carriers, not_taken("CARRIER_THROTTLED"), times=10)
    assert carriers.fleet["a"].breaker.state is BreakerState.CLOSED


async def test_a_breaker_lets_one_message_try_and_closes_when_it_is_answered() -> None:
    carriers = Carriers((Leg("a"),))
    await submit(carriers, unanswered(), times=3)
    assert carriers.log.lines == [("breaker_opened", "a", "5.0")]
    assert not carriers.route.is_up
    carriers.now += 5
    probe = carriers.route.try_reserve()
    assert probe is not None
    assert carriers.route.try_reserve() is None
    carriers["a"].answer = lambda _: refused()
    await probe.submit(SUBMISSION)
    assert carriers.log.lines[-1] == ("breaker_closed", "a")
    assert carriers.route.free_slots == 10


async def test_a_place_that_is_given_back_does_not_keep_the_next_message_from_trying() -> None:
    carriers = Carriers((Leg("a"),))
    await submit(carriers, unanswered(), times=3)
    carriers.now += 5
    for _ in range(3):
        slot = carriers.route.try_reserve()
        assert slot is not None
        slot.release()


async def test_a_carrier_that_connects_anew_is_used_at_once() -> None:
    carriers = Carriers((Leg("a"),))
    await submit(carriers, unanswered(), times=3)
    carriers["a"].go_down()
    carriers.fleet["a"].changed()
    carriers["a"].come_up()
    assert carriers.route.is_up


async def test_everybody_who_waits_for_a_place_gets_to_be_first_in_turn() -> None:
    carriers = Carriers((Leg("a"),))
    order: list[str] = []
    carriers.fleet["a"].on_change(lambda: order.append("x"))
    carriers.fleet["a"].on_change(lambda: order.append("y"))
    for _ in range(6):
        carriers.fleet["a"].changed()
    firsts = [order[turn] for turn in range(0, len(order), 2)]
    assert set(firsts) == {"x", "y"}


async def test_a_drained_carrier_disconnects_and_a_resumed_one_connects_again() -> None:
    carriers = Carriers((Leg("a"), Leg("b")))

    def started() -> list[bool]:
        return [carriers[name].is_started for name in "ab"]

    await carriers.fleet.start()
    await carriers.fleet.follow({"a": CarrierMode.DRAINED})
    assert started() == [False, True]
    assert await carriers.chosen(2) == ["b", "b"]
    await carriers.fleet.follow({})
    assert started() == [True, True]
    assert set(await carriers.chosen(4)) == {"a", "b"}
    await carriers.fleet.stop(1)
    assert started() == [False, False]


async def test_a_route_whose_only_carrier_is_paused_says_so() -> None:
    carriers = Carriers((Leg("a"),))
    await carriers.fleet.follow({"a": CarrierMode.PAUSED})
    assert (carriers.route.is_up, carriers.route.is_paused) == (False, True)
    assert carriers["a"].is_up
    await carriers.fleet.follow({"a": CarrierMode.DRAINED})
    assert not carriers.route.is_paused


async def test_what_other_replicas_have_all_binds_for_can_be_queued_for_them() -> None:
    carriers = Carriers((Leg("a"),))
    carriers["a"].go_down()
    elsewhere = BindStatus(1, BindState.UNLEASED, 0, 0, None)
    for binds, held in (
        ((), False),
        ((elsewhere,), True),
        ((elsewhere, replace(elsewhere, number=2, state=BindState.WAITING)), False),
    ):
        carriers["a"].binds = binds
        assert carriers.route.is_held_elsewhere is held
    carriers["a"].binds = (elsewhere,)
    await require_carrier(carriers.route, grace_s=0.0)
    await carriers.fleet.follow({"a": CarrierMode.DRAINED})
    assert not carriers.route.is_held_elsewhere
    with pytest.raises(ServiceError, match="no carrier can be reached"):
        await require_carrier(carriers.route, grace_s=0.0)


async def test_a_status_tells_mode_breaker_and_the_last_minute() -> None:
    carriers = Carriers((Leg("a"),))
    await submit(carriers, refused("INVALID_RECIPIENT"), times=2)
    await submit(carriers, unanswered(), times=1)
    (status,) = carriers.fleet.statuses()
    assert (status.traffic.refused, status.traffic.unknown, status.traffic.total) == (2, 1, 3)
    assert status.traffic.codes == (("INVALID_RECIPIENT", 2), ("CARRIER_NO_ANSWER", 1))
    carriers.now += 60
    (status,) = carriers.fleet.statuses()
    assert status.traffic.total == 0
    assert (status.mode, status.breaker) == (CarrierMode.RUNNING, BreakerState.CLOSED)
