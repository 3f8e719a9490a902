"""Builds accounts: their terms, and what is booked on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from messaging_service.accounts.account_destinations import AccountDestinations
from messaging_service.accounts.grpc.account_servicer import AccountServicer
from messaging_service.accounts.keep_books import KeepBooks
from messaging_service.accounts.manage_accounts import ManageAccounts
from messaging_service.accounts.metrics.money_metrics import SettledMoney
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.shared.numbering.destinations import allowed_destinations
from messaging_service.shared.phone_numbers import AccountDestinationCheck
from messaging_service.shared.postgres.report_turns import ReportTurns
from messaging_service.wiring.messaging_process import Process, Servicers
from tukupay.sms.messaging.v1 import accounts_pb2_grpc


@dataclass(frozen=True, slots=True)
class WiredAccounts:
    """What accounts offer."""

    servicers: Servicers
    settled: SettledMoney
    """Counts money that attempts and receipts move."""
    destinations: AccountDestinationCheck
    """Where accounts may send to."""


def build_accounts(process: Process, turns: ReportTurns) -> WiredAccounts:
    """Puts accounts together; their statements wait for one another in `turns`."""
    pool = process.pools.billing
    books = KeepBooks(PostgresLedgerStore(pool, turns, process.replica_reads.statements))
    accounts = PostgresAccountStore(pool)
    servicer = AccountServicer(ManageAccounts(accounts), books)
    return WiredAccounts(
        servicers=(partial(accounts_pb2_grpc.add_AccountServiceServicer_to_server, servicer),),
        settled=SettledMoney(process.registry),
        destinations=AccountDestinations(process.settings.sending.destinations, accounts, allowed_destinations),
    )
