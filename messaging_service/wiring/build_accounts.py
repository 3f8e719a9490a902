"""Builds accounts: their owners' choices, their terms and their bookings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from messaging_service.accounts.grpc.account_servicer import AccountServicer
from messaging_service.accounts.grpc.billing_servicer import BillingServicer
from messaging_service.accounts.manage_account import ManageAccount
from messaging_service.accounts.metrics.money_metrics import SettledMoney
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.shared.postgres.report_turns import ReportTurns
from messaging_service.wiring.process import Process, Servicers
from tukupay.sms.messaging.v1 import billing_pb2_grpc, messaging_pb2_grpc


@dataclass(frozen=True, slots=True)
class WiredAccounts:
    """What accounts offer."""

    servicers: Servicers
    settled: SettledMoney
    """Counts money that attempts and receipts move."""


def build_accounts(process: Process, turns: ReportTurns) -> WiredAccounts:
    """Puts accounts together; their statements wait for one another in `turns`."""
    account = AccountServicer(ManageAccount(PostgresAccountStore(process.pools.main)))
    billing = BillingServicer(PostgresLedgerStore(process.pools.billing, turns))
    return WiredAccounts(
        servicers=(
            partial(messaging_pb2_grpc.add_AccountServiceServicer_to_server, account),
            partial(billing_pb2_grpc.add_BillingServiceServicer_to_server, billing),
        ),
        settled=SettledMoney(process.registry),
    )
