"""Accounts and bookings as JSON; amounts in KES."""

from __future__ import annotations

from sms_cli.accounts.limit_options import limits_record
from sms_cli.shared.enum_words import enum_constant, enum_word
from sms_cli.shared.kes_amounts import kes
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

COUNTED = {pb.BOOK_RULE_CHARGED_ONCE_IF_ACCEPTED, pb.BOOK_RULE_EARLIER_ATTEMPTS_CHARGED_IF_ACCEPTED}
"""The rules of the books that compare numbers of entries; the others compare KES."""


def terms_record(account: pb.Account) -> dict[str, object]:
    """An account's terms as JSON; amounts in KES."""
    limits = limits_record(account.limits)
    return {
        "userId": account.user_id,
        "mode": enum_word(pb.AccountMode, account.mode),
        "status": enum_word(pb.AccountStatus, account.status),
        "currency": account.currency,
        "balance": kes(account.posted_micros),
        "held": kes(account.held_micros),
        "creditLimit": kes(account.credit_limit_micros),
        "available": kes(account.available_micros) if account.HasField("available_micros") else None,
        "dailySpend": limits.pop("dailySpend"),
        "spentToday": kes(account.spent_today_micros),
        "messagesPerMinute": limits.pop("messagesPerMinute"),
        "sentThisMinute": account.sent_this_minute,
        **limits,
    }


def entry_record(entry: pb.LedgerEntry) -> dict[str, object]:
    """A ledger entry as JSON."""
    return {
        "entryId": entry.entry_id,
        "userId": entry.user_id,
        "kind": enum_word(pb.LedgerEntryKind, entry.kind),
        "amount": kes(entry.amount_micros),
        "bookedAt": shown(entry.booked_time),
        "outboxId": entry.outbox_id if entry.HasField("outbox_id") else None,
        "attempt": entry.attempt if entry.HasField("attempt") else None,
        "reference": entry.reference if entry.HasField("reference") else None,
        "reason": entry.reason if entry.HasField("reason") else None,
        "bookedBy": entry.booked_by if entry.HasField("booked_by") else None,
    }


def fault_record(fault: pb.BookFault) -> dict[str, object]:
    """A fault in the books as JSON."""
    is_count = fault.rule in COUNTED
    return {
        "userId": fault.user_id,
        "rule": enum_constant(pb.BookRule, fault.rule),
        "recorded": fault.recorded if is_count else kes(fault.recorded),
        "expected": fault.expected if is_count else kes(fault.expected),
        "outboxId": fault.outbox_id if fault.HasField("outbox_id") else None,
    }
