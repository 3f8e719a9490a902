"""Alerts from a crossing to a webhook, over gRPC and with a real database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from uuid_utils.compat import uuid7

from messaging_service.accounts.domain.account import AccountMode
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.domain.alert_readings import CarrierHealth
from messaging_service.notices.domain.alerts import DEFAULTS
from messaging_service.notices.postgres.postgres_alert_store import PostgresAlertStore
from service_kit.audit.actor import PLATFORM
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import refused
from tests.integration.messaging.notices.webhooks_at_work import both, made
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import rows, until_found
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc, alerts_pb2_grpc, webhooks_pb2
from tukupay.sms.messaging.v1 import alerts_pb2 as pb

pytestmark = pytest.mark.timeout(60)

ALL = [event for event in webhooks_pb2.WebhookEvent.values() if event not in {0, 1, 2, 3, 6}]
DAY = timedelta(days=1)
QUICK: dict[str, Any] = {"alert_every_s": 0.05}


def alerts(service: Running) -> alerts_pb2_grpc.AlertServiceAsyncStub:
    return alerts_pb2_grpc.AlertServiceStub(service.channel)


async def set_rules(service: Running, *rules: pb.AlertRule) -> None:
    await alerts(service).SetAlertRules(pb.SetAlertRulesRequest(user_id="user123", rules=rules))


async def listed(service: Running, **fields: Any) -> list[pb.Alert]:
    return list((await alerts(service).ListAlerts(pb.ListAlertsRequest(user_id="user123", **fields))).alerts)


async def prepaid(service: Running, kes: int) -> accounts_pb2_grpc.AccountServiceAsyncStub:
    books = accounts_pb2_grpc.AccountServiceStub(service.channel)
    await books.OpenAccount(accounts_pb2.OpenAccountRequest(user_id="user123", mode=accounts_pb2.ACCOUNT_MODE_PREPAID))
    await top_up(books, kes, "first")
    return books


async def top_up(books: accounts_pb2_grpc.AccountServiceAsyncStub, kes: int, reference: str) -> None:
    await books.TopUp(
        accounts_pb2.TopUpRequest(
            user_id="user123", amount_micros=kes * 1_000_000, reference=reference, booked_by="amina"
        )
    )


def balance_rule(**fields: Any) -> pb.AlertRule:
    known: dict[str, Any] = {
        "enabled": True,
        "balance_low": pb.BalanceLow(threshold_micros=100_000_000, margin_micros=10_000_000),
    }
    return pb.AlertRule(**(known | fields))


async def adjust(books: accounts_pb2_grpc.AccountServiceAsyncStub, kes: int) -> None:
    await books.Adjust(
        accounts_pb2.AdjustRequest(user_id="user123", amount_micros=kes * 1_000_000, reason="a test", booked_by="amina")
    )


async def test_a_balance_that_falls_raises_one_alert_and_rearms_above_the_margin(database_url: str) -> None:
    async with both(database_url, **QUICK) as (service, system):
        books = await prepaid(service, 200)
        created = await made(service, system.url, events=ALL)
        await adjust(books, -101)
        (event,) = await system.until(1)
        assert event.is_signed_with(created.secret)
        assert (event.event["type"], event.event["subject"]) == ("balance.low", "user123")
        data = event.event["data"]
        assert (data["value"], data["threshold"], data["currency"]) == ("99", "100", "KES")
        await adjust(books, 6)
        await adjust(books, -6)
        # Within the margin nothing is armed again: three looks later there is still one alert.
        moved = (await rows(database_url, "SELECT moved_at FROM event_reader WHERE name = 'alerts'"))[0][0]
        await until_found(
            database_url,
            f"SELECT 1 FROM event_reader WHERE name = 'alerts' AND moved_at > '{moved}'::timestamptz + interval '1 s'",
        )
        (alert,) = await listed(service)
        assert (alert.kind, alert.value_micros) == (pb.ALERT_KIND_BALANCE_LOW, 99_000_000)
        assert not alert.HasField("resolved_time")
        await adjust(books, 20)
        await until_found(database_url, "SELECT 1 FROM alert WHERE resolved_at IS NOT NULL")
        assert not await listed(service, only_open=True)
        await adjust(books, -50)
        second = (await system.until(2))[1]
        assert second.headers["webhook-id"] != event.headers["webhook-id"]
        await until_found(database_url, "SELECT 1 FROM webhook_delivery WHERE state = 'delivered' HAVING count(*) = 2")
        history = await listed(service)
        assert [(one.delivered_deliveries, one.pending_deliveries) for one in history] == [(1, 0), (1, 0)]
        assert await rows(database_url, "SELECT count(*) FROM alert") == [(2,)]


async def test_a_balance_may_be_watched_in_units_at_the_present_price(database_url: str) -> None:
    async with both(database_url, **QUICK) as (service, system):
        books = await prepaid(service, 61)
        # First the rule: a look in between would warn by the default one.
        await set_rules(service, pb.AlertRule(enabled=True, units_low=pb.UnitsLow(threshold_units=100)))
        await made(service, system.url, events=ALL)
        await adjust(books, -2)
        (event,) = await system.until(1)
        data = event.event["data"]
        # KES 59 are 98 units of KES 0.6.
        assert (data["value"], Decimal(data["available"]), Decimal(data["unitPrice"])) == (
            "98",
            Decimal(59),
            Decimal("0.6"),
        )


async def test_a_rate_of_failures_over_a_window_raises_an_alert(database_url: str) -> None:
    async with both(database_url, **QUICK) as (service, system):
        await made(service, system.url, events=ALL)
        failing = pb.SmsFailing(threshold_percent_micros=50_000_000, least_messages=4)
        await set_rules(service, pb.AlertRule(enabled=True, sms_failing=failing))
        for outcome in (None, None, "INVALID_RECIPIENT", "INVALID_RECIPIENT"):
            if outcome is not None:
                service.carrier.answer = lambda _: refused("INVALID_RECIPIENT")
            await service.send()
        (event,) = await system.until(1)
        data = event.event["data"]
        assert (event.event["type"], data["value"], data["failed"], data["ended"]) == ("sms.failing", "50", 2, 4)
        # Nothing fails any more where nothing is sent.
        await rows(database_url, "UPDATE message SET created_at = created_at - interval '1 hour'")
        async with asyncio.timeout(20):
            await until_found(database_url, "SELECT 1 FROM alert WHERE resolved_at IS NOT NULL")


async def test_many_evaluators_raise_one_alert_for_one_crossing(database_url: str) -> None:
    # No service: its own first look could take the crossing, or hold the row that the others skip.
    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(create_pool(database_url, f"alerts{number}", timeout_s=20))
            for number in range(8)
        ]
        await PostgresAccountStore(pools[0]).open(
            "user123", AccountMode.PREPAID, Decimal(50), AccountLimits(), actor=PLATFORM
        )
        stores = [PostgresAlertStore(pool, uuid7, 0, give_up_after=DAY) for pool in pools]
        await stores[0].set_rules("user123", [DEFAULTS[AlertKind.BALANCE_LOW]])
        seen = await asyncio.gather(*(store.evaluate((), {}) for store in stores for _ in range(5)))
    assert [one.raised for one in seen if one and one.raised] == [{AlertKind.BALANCE_LOW: 1}]
    assert await rows(database_url, "SELECT count(*) FROM alert") == [(1,)]


async def test_resolved_alerts_are_forgotten_in_time_and_open_ones_never(database_url: str) -> None:
    await rows(
        database_url,
        """INSERT INTO alert (id, account_id, kind, subject, value, threshold, raised_at, resolved_at)
        SELECT gen_random_uuid(), 'user123', 'balance.low', 'user123', CASE WHEN ended IS NULL THEN 0 ELSE 1 END, 2,
            now() - interval '2 years', ended
        FROM unnest(ARRAY[now() - interval '366 days', now() - interval '400 days', now() - interval '364 days', NULL])
            AS ended""",
    )
    # Known by its value: the service resolves the open one when it finds no account to read.
    left = "SELECT value = 0 FROM alert ORDER BY 1"
    async with create_pool(database_url, "alerts", timeout_s=20) as pool:
        store = PostgresAlertStore(pool, uuid7, 0, give_up_after=DAY)
        assert await store.forget(365 * 86_400, 1) == 1
        assert await rows(database_url, left) == [(False,), (False,), (True,)]
    # The service does the same by itself, as often as it takes.
    async with both(database_url, alert_every_s=3_600.0):
        await until_found(database_url, "SELECT 1 FROM alert HAVING count(*) = 2")
    assert await rows(database_url, left) == [(False,), (True,)]


async def test_an_alert_that_is_open_is_not_raised_again_by_the_next_process(database_url: str) -> None:
    async with both(database_url, **QUICK) as (service, system):
        await prepaid(service, 50)
        await made(service, system.url, events=ALL)
        await system.until(1)
    async with both(database_url, **QUICK) as (service, _):
        # Twice, as the first look may have begun before.
        for _ in range(2):
            moved = (await rows(database_url, "SELECT moved_at::text FROM event_reader WHERE name = 'alerts'"))[0][0]
            await until_found(
                database_url, f"SELECT 1 FROM event_reader WHERE name = 'alerts' AND moved_at > '{moved}'"
            )
        assert len(await listed(service)) == 1


async def test_a_carrier_that_is_down_or_poor_is_told_to_those_who_ask(database_url: str) -> None:
    async with both(database_url, alert_every_s=3_600.0) as (service, system):
        await made(service, system.url, events=ALL)
        down = pb.AlertRule(enabled=True, carrier_down=pb.CarrierDown(threshold=Duration(seconds=60)))
        poor = pb.AlertRule(enabled=True, carrier_balance_low=pb.CarrierBalanceLow(threshold_micros=1_000_000_000))
        unknown = pb.AlertRule(enabled=True, outcomes_unknown=pb.OutcomesUnknown(threshold_messages=1))
        await set_rules(service, down, poor, unknown)
        async with create_pool(database_url, "alerts", timeout_s=20) as pool:
            store = PostgresAlertStore(pool, uuid7, 0, give_up_after=DAY)
            ill = CarrierHealth("smpp", is_down=True, balance=Decimal("999.99"))
            first = await store.evaluate([ill], {})
            assert first is not None
            assert first.raised == {AlertKind.CARRIER_BALANCE_LOW: 1}
            since = """UPDATE event_reader SET position = jsonb_set(position, '{down,smpp}',
                to_jsonb((now() - interval '61 s')::text)) WHERE name = 'alerts'"""
            await rows(database_url, since)
            second = await store.evaluate([ill], {})
            assert second is not None
            assert second.raised == {AlertKind.CARRIER_DOWN: 1}
            well = CarrierHealth("smpp", is_down=False, balance=Decimal(5_000))
            third = await store.evaluate([well], {})
            assert third is not None
            assert not third.raised
            assert third.resolved == {AlertKind.CARRIER_BALANCE_LOW: 1, AlertKind.CARRIER_DOWN: 1}
        events = await system.until(2)
        assert [one.event["type"] for one in events] == ["carrier.balance_low", "carrier.down"]
        assert [one.event["subject"] for one in events] == ["smpp", "smpp"]


async def test_in_quiet_hours_an_alert_is_recorded_and_posted_later(database_url: str) -> None:
    async with both(database_url, **QUICK) as (service, system):
        now = datetime.now(UTC)
        minute = (now.hour * 60 + now.minute + 180) % 1_440
        quiet = pb.QuietHours(start_minute=(minute - 60) % 1_440, end_minute=(minute + 120) % 1_440)
        await set_rules(service, balance_rule(quiet_hours=quiet))
        await made(service, system.url, events=ALL)
        await prepaid(service, 50)
        await until_found(database_url, "SELECT 1 FROM alert")
        end = now.replace(second=0, microsecond=0) + timedelta(minutes=120)
        assert await rows(database_url, "SELECT next_try_at FROM webhook_delivery") == [(end,)]
        assert not system.received
        (alert,) = await listed(service)
        assert (alert.pending_deliveries, alert.delivered_deliveries) == (1, 0)


async def test_the_first_who_acknowledges_an_alert_stays_on_record(database_url: str) -> None:
    async with both(database_url, **QUICK) as (service, system):
        await made(service, system.url, events=ALL)
        await prepaid(service, 50)
        await system.until(1)
        (alert,) = await listed(service)
        request = pb.AcknowledgeAlertRequest(alert_id=alert.alert_id, acknowledged_by="amina")
        first = (await alerts(service).AcknowledgeAlert(request)).alert
        request.acknowledged_by = "juma"
        again = (await alerts(service).AcknowledgeAlert(request)).alert
        assert (first.acknowledged_by, again.acknowledged_by) == ("amina", "amina")
        for unknown in ("alert_" + "0" * 32, "nonsense", ""):
            request.alert_id = unknown
            assert (await refusal_of(alerts(service).AcknowledgeAlert(request))).reason == "ALERT_NOT_FOUND"


async def test_what_is_wrong_with_rules_is_named_and_none_is_set(database_url: str) -> None:
    async with both(database_url, **QUICK) as (service, _):
        failing = pb.SmsFailing(threshold_percent_micros=-1, window=Duration(seconds=59))
        wrong = [
            pb.AlertRule(sms_failing=failing, quiet_hours=pb.QuietHours(start_minute=1_440)),
            pb.AlertRule(carrier_down=pb.CarrierDown(), enabled=True),
            balance_rule(),
            pb.AlertRule(units_low=pb.UnitsLow(threshold_units=1_000_001)),
        ]
        request = pb.SetAlertRulesRequest(user_id="user123", rules=wrong)
        error = await refusal_of(alerts(service).SetAlertRules(request))
        assert [(one.field, one.reason) for one in error.violations] == [
            ("rules[0].sms_failing.threshold_percent_micros", "OUT_OF_RANGE"),
            ("rules[0].sms_failing.window", "OUT_OF_RANGE"),
            ("rules[0].quiet_hours", "OUT_OF_RANGE"),
            ("rules[1].carrier_down.threshold", "OUT_OF_RANGE"),
            ("rules[3].units_low.threshold_units", "OUT_OF_RANGE"),
            ("rules", "NOT_ALLOWED"),
        ]
        for rules, field in (([], "rules"), ([balance_rule(), pb.AlertRule(enabled=True)], "rules[1].condition")):
            empty = pb.SetAlertRulesRequest(user_id="user123", rules=rules)
            error = await refusal_of(alerts(service).SetAlertRules(empty))
            assert [(one.field, one.reason) for one in error.violations] == [(field, "REQUIRED")]
        held = await alerts(service).GetAlertRules(pb.GetAlertRulesRequest(user_id="user123"))
        assert {rule.WhichOneof("condition"): rule.enabled for rule in held.rules} == {
            "balance_low": True,
            "sms_failing": True,
            "outcomes_unknown": False,
            "carrier_down": False,
            "carrier_balance_low": False,
            "sms_pumping": True,
        }


async def test_every_condition_comes_back_as_it_was_set(database_url: str) -> None:
    quiet = pb.QuietHours(start_minute=1_320, end_minute=390)
    rules = [
        pb.AlertRule(units_low=pb.UnitsLow(threshold_units=1_000, margin_units=100), enabled=True, quiet_hours=quiet),
        pb.AlertRule(
            sms_failing=pb.SmsFailing(
                threshold_percent_micros=12_500_000,
                margin_percent_micros=1,
                window=Duration(seconds=86_400),
                least_messages=1_000,
            )
        ),
        pb.AlertRule(outcomes_unknown=pb.OutcomesUnknown(threshold_messages=1, margin_messages=1_000_000)),
        pb.AlertRule(carrier_down=pb.CarrierDown(threshold=Duration(nanos=500_000_000), margin=Duration(seconds=7))),
        pb.AlertRule(carrier_balance_low=pb.CarrierBalanceLow(threshold_micros=1, margin_micros=10**12)),
        pb.AlertRule(sms_pumping=pb.SmsPumping(threshold_blocks=3, margin_blocks=2)),
    ]
    amount = pb.AlertRule(balance_low=pb.BalanceLow(threshold_micros=99_990_000, margin_micros=0), enabled=True)
    async with both(database_url, alert_every_s=3_600.0) as (service, _):
        stub = alerts(service)
        held = (await stub.SetAlertRules(pb.SetAlertRulesRequest(user_id="user123", rules=rules))).rules
        assert list(held) == rules
        held = (await stub.SetAlertRules(pb.SetAlertRulesRequest(user_id="user123", rules=[amount]))).rules
        assert list(held) == [amount, *rules[1:]]
