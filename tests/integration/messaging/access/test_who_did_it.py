"""What is done by hand is on record with the caller whose credential was checked, whatever its request says."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from service_kit.access.principal import Principal, PrincipalKind
from service_kit.access.requirement import Access
from tests.integration.messaging.running_service import service_on
from tests.system.known_callers import KnownCallers, asserting
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc, alerts_pb2, alerts_pb2_grpc

pytestmark = pytest.mark.timeout(60)

ALERT = UUID(int=1)
SHOP = Principal("tk_live_00000000", PrincipalKind.API_KEY, frozenset({"shop"}), frozenset({"alerts:write"}))


async def test_the_note_says_what_the_caller_wrote_and_the_record_who_called(database_url: str, tmp_path: Path) -> None:
    callers = KnownCallers(tmp_path / "identities.toml")
    operator = callers.add("amina", "accounts:write", "money:write")
    gateway = callers.add("gateway", "assert:principal", kind="workload")
    async with service_on(database_url, access=Access.REQUIRED, identities_file=callers.path) as service:
        accounts = accounts_pb2_grpc.AccountServiceStub(service.channel)
        opening = accounts_pb2.OpenAccountRequest(user_id="shop", mode=accounts_pb2.ACCOUNT_MODE_PREPAID)
        await accounts.OpenAccount(opening, metadata=operator)
        paid = accounts_pb2.TopUpRequest(user_id="shop", amount_micros=1, reference="QGH7", booked_by="somebody else")
        booked = await accounts.TopUp(paid, metadata=operator)
        assert booked.entry.booked_by == "somebody else"
        await rows(
            database_url,
            "INSERT INTO alert (id, account_id, kind, subject, value, threshold) "
            "VALUES (%s, 'shop', 'balance.low', 'shop', 1, 2)",
            (ALERT,),
        )
        alerts = alerts_pb2_grpc.AlertServiceStub(service.channel)
        seen = alerts_pb2.AcknowledgeAlertRequest(alert_id=f"alert_{ALERT.hex}", acknowledged_by="somebody else")
        for _ in range(2):
            await alerts.AcknowledgeAlert(seen, metadata=gateway + asserting(SHOP))
    assert await rows(database_url, "SELECT action, principal, principal_kind FROM audit_entry ORDER BY id") == [
        ("account.opened", "operator:amina", "operator"),
        ("money.top_up", "operator:amina", "operator"),
        ("alert.acknowledged", "tk_live_00000000", "api_key"),
    ]
