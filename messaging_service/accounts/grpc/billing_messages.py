"""Billing messages from and to domain objects."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from messaging_service.accounts.domain.account import Account, AccountLimits
from messaging_service.accounts.domain.ledger import COUNTED, LARGEST_BOOKING, BookFault, EntryKind, LedgerEntry
from messaging_service.accounts.domain.references import reference_problem
from messaging_service.accounts.grpc.account_messages import from_account
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.money import from_micros, plain, to_micros
from messaging_service.shared.grpc import wire
from service_kit.errors import Violation
from service_kit.identifiers import identifier_problem
from tukupay.sms.messaging.v1 import billing_pb2 as pb

MAX_REASON = 500
CURRENCY = "KES"

KINDS: Mapping[EntryKind, pb.LedgerEntryKind.ValueType] = {
    EntryKind.CHARGE: pb.LEDGER_ENTRY_KIND_CHARGE,
    EntryKind.REFUND: pb.LEDGER_ENTRY_KIND_REFUND,
    EntryKind.TOP_UP: pb.LEDGER_ENTRY_KIND_TOP_UP,
    EntryKind.ADJUSTMENT: pb.LEDGER_ENTRY_KIND_ADJUSTMENT,
}


class Faults:
    """Collects what is wrong with a request."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def add(self, field: str, reason: str, problem: str) -> None:
        """Notes one fault."""
        self.violations.append(Violation(field, reason, problem))

    def new_identifier(self, field: str, value: str) -> None:
        """An identifier that is put on record, or paid to, is required."""
        if problem := identifier_problem(value):
            self.add(field, "INVALID_IDENTIFIER", problem)

    def text(self, field: str, value: str, limit: int = MAX_IDENTIFIER) -> None:
        """A short text is required."""
        if problem := text_problem(value, limit):
            self.add(field, "INVALID_TEXT", problem)

    def optional_text(self, field: str, value: str, limit: int = MAX_IDENTIFIER) -> None:
        """A short text, or none."""
        if value:
            self.text(field, value, limit)

    def payment_reference(self, reference: str) -> None:
        """What names a payment on the other side is required."""
        if problem := text_problem(reference, MAX_IDENTIFIER) or reference_problem(reference):
            self.add("reference", "INVALID_TEXT", problem)

    def credit_limit(self, micros: int) -> Decimal:
        """The credit limit in KES."""
        if not 0 <= from_micros(micros) <= LARGEST_BOOKING:
            problem = f"is KES {plain(from_micros(micros))}; give 0 to KES {LARGEST_BOOKING:,}"
            self.add("credit_limit_micros", "OUT_OF_RANGE", problem)
        return from_micros(micros)

    def limits(self, limits: pb.AccountLimits) -> AccountLimits:
        """The limits of an account."""
        spend = limits.daily_spend_micros if limits.HasField("daily_spend_micros") else None
        minute = limits.messages_per_minute if limits.HasField("messages_per_minute") else None
        hour = limits.messages_per_recipient_hour if limits.HasField("messages_per_recipient_hour") else None
        for name, value in (
            ("daily_spend_micros", spend),
            ("messages_per_minute", minute),
            ("messages_per_recipient_hour", hour),
        ):
            if value is not None and value < 1:
                self.add(f"limits.{name}", "OUT_OF_RANGE", f"is {value}; give at least 1, or leave it out for no limit")
        return AccountLimits(None if spend is None else from_micros(spend), minute, hour)

    def amount(self, micros: int, *, negative: bool) -> Decimal:
        """What is booked, in KES."""
        amount = from_micros(micros)
        if micros == 0 or abs(amount) > LARGEST_BOOKING or (micros < 0 and not negative):
            ways = "other than 0, and either way" if negative else "above 0, and"
            problem = f"is KES {plain(amount)}; give one {ways} at most KES {LARGEST_BOOKING:,}"
            self.add("amount_micros", "OUT_OF_RANGE", problem)
        return amount


def from_terms(account: Account) -> pb.AccountTerms:
    """An account with its terms."""
    limits = account.limits
    return pb.AccountTerms(
        account=from_account(account),
        currency=CURRENCY,
        limits=pb.AccountLimits(
            daily_spend_micros=None if limits.daily_spend is None else to_micros(limits.daily_spend),
            messages_per_minute=limits.messages_per_minute,
            messages_per_recipient_hour=limits.messages_per_recipient_hour,
        ),
        spent_today_micros=to_micros(account.usage.spent_today),
        sent_this_minute=account.usage.sent_this_minute,
        available_micros=None if account.available is None else to_micros(account.available),
    )


def from_entry(entry: LedgerEntry) -> pb.LedgerEntry:
    """One booking."""
    return pb.LedgerEntry(
        entry_id=entry.id,
        user_id=entry.account_id,
        kind=KINDS[entry.kind],
        amount_micros=to_micros(entry.amount),
        booked_time=wire.from_instant(entry.booked_at),
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
        rule=fault.rule.value,
        recorded=int(fault.recorded) if is_count else to_micros(fault.recorded),
        expected=int(fault.expected) if is_count else to_micros(fault.expected),
        outbox_id=None if fault.message_id is None else outbox_id(fault.message_id),
    )
