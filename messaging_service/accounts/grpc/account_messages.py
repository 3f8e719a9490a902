"""Accounts and their ledger as generated messages."""

from __future__ import annotations

from collections.abc import Mapping

from messaging_service.accounts.domain.account import Account, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits, PumpingGuard
from messaging_service.accounts.domain.ledger import COUNTED, BookFault, EntryKind, LedgerEntry, Rule
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.grpc.wire import from_instant
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

CURRENCY = "KES"

MODES: Mapping[AccountMode, pb.AccountMode.ValueType] = {
    AccountMode.POSTPAID: pb.ACCOUNT_MODE_POSTPAID,
    AccountMode.PREPAID: pb.ACCOUNT_MODE_PREPAID,
}
ACCOUNT_STATUSES: Mapping[AccountStatus, pb.AccountStatus.ValueType] = {
    AccountStatus.ACTIVE: pb.ACCOUNT_STATUS_ACTIVE,
    AccountStatus.SUSPENDED: pb.ACCOUNT_STATUS_SUSPENDED,
    AccountStatus.CLOSED: pb.ACCOUNT_STATUS_CLOSED,
}
PUMPING_GUARDS: Mapping[PumpingGuard, pb.PumpingGuard.ValueType] = {
    PumpingGuard.OFF: pb.PUMPING_GUARD_OFF,
    PumpingGuard.ALERT: pb.PUMPING_GUARD_ALERT,
    PumpingGuard.BLOCK: pb.PUMPING_GUARD_BLOCK,
}
KINDS: Mapping[EntryKind, pb.LedgerEntryKind.ValueType] = {
    EntryKind.CHARGE: pb.LEDGER_ENTRY_KIND_CHARGE,
    EntryKind.REFUND: pb.LEDGER_ENTRY_KIND_REFUND,
    EntryKind.TOP_UP: pb.LEDGER_ENTRY_KIND_TOP_UP,
    EntryKind.ADJUSTMENT: pb.LEDGER_ENTRY_KIND_ADJUSTMENT,
}
RULES: Mapping[Rule, pb.BookRule.ValueType] = {
    Rule.POSTED: pb.BOOK_RULE_POSTED_IS_SUM_OF_ENTRIES,
    Rule.HELD: pb.BOOK_RULE_HELD_IS_SUM_OF_HOLDS,
    Rule.PREPAID: pb.BOOK_RULE_PREPAID_WITHIN_LIMIT,
    Rule.CHARGED: pb.BOOK_RULE_CHARGED_ONCE_IF_ACCEPTED,
    Rule.EARLIER: pb.BOOK_RULE_EARLIER_ATTEMPTS_CHARGED_IF_ACCEPTED,
    Rule.AMOUNT: pb.BOOK_RULE_CHARGE_IS_THE_TOTAL,
    Rule.TOTAL: pb.BOOK_RULE_TOTAL_IS_UNITS_TIMES_PRICE,
}


def from_account(account: Account) -> pb.Account:
    """The public form of an account."""
    return pb.Account(
        user_id=account.id,
        mode=MODES[account.mode],
        status=ACCOUNT_STATUSES[account.status],
        posted_micros=to_micros(account.posted),
        held_micros=to_micros(account.held),
        credit_limit_micros=to_micros(account.credit_limit),
        created_time=from_instant(account.created_at),
        resend_unknown=account.resend_unknown,
        currency=CURRENCY,
        limits=_from_limits(account.limits),
        spent_today_micros=to_micros(account.usage.spent_today),
        sent_this_minute=account.usage.sent_this_minute,
        available_micros=None if account.available is None else to_micros(account.available),
    )


def _from_limits(limits: AccountLimits) -> pb.AccountLimits:
    countries = limits.destinations
    return pb.AccountLimits(
        daily_spend_micros=None if limits.daily_spend is None else to_micros(limits.daily_spend),
        messages_per_minute=limits.messages_per_minute,
        messages_per_recipient_hour=limits.messages_per_recipient_hour,
        messages_per_recipient_window=limits.messages_per_recipient_window,
        otps_per_recipient_window=limits.otps_per_recipient_window,
        destinations=None if countries is None else pb.DestinationCountries(countries=countries),
        pumping=pb.PUMPING_GUARD_UNSPECIFIED if limits.pumping is None else PUMPING_GUARDS[limits.pumping],
    )


def from_entry(entry: LedgerEntry) -> pb.LedgerEntry:
    """One booking."""
    return pb.LedgerEntry(
        entry_id=entry.id,
        user_id=entry.account_id,
        kind=KINDS[entry.kind],
        amount_micros=to_micros(entry.amount),
        booked_time=from_instant(entry.booked_at),
        outbox_id=None if entry.message_id is None else outbox_id(entry.message_id),
        attempt=entry.attempt,
        reference=entry.reference,
        reason=entry.reason,
        booked_by=entry.booked_by,
    )


def from_fault(fault: BookFault) -> pb.BookFault:
    """Something that does not add up."""
    is_count = fault.rule in COUNTED
    return pb.BookFault(
        user_id=fault.account_id,
        rule=RULES[fault.rule],
        recorded=int(fault.recorded) if is_count else to_micros(fault.recorded),
        expected=int(fault.expected) if is_count else to_micros(fault.expected),
        outbox_id=None if fault.message_id is None else outbox_id(fault.message_id),
    )
