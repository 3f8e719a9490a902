"""Requests about accounts, checked for what the domain has no words for."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from messaging_service.accounts.domain.account import AccountChanges, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.domain.ledger import LARGEST_BOOKING
from messaging_service.accounts.domain.references import reference_problem
from messaging_service.accounts.grpc.account_messages import ACCOUNT_STATUSES, MODES
from messaging_service.accounts.grpc.limit_requests import LIMITS, read_limits
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.domain.money import from_micros, plain
from messaging_service.shared.grpc import wire
from service_kit import page_token
from service_kit.errors import Violation, invalid
from service_kit.identifiers import identifier_problem
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

DEFAULT_PAGE = 100
MAX_PAGE = 1_000
MAX_ENTRY = 2**63 - 1
MAX_REASON = 500
MODE_OF: dict[int, AccountMode] = {value: mode for mode, value in MODES.items()}
STATUS_OF: dict[int, AccountStatus] = {value: status for status, value in ACCOUNT_STATUSES.items()}
CHANGEABLE = ("mode", "status", "credit_limit_micros", "resend_unknown", *LIMITS)
"""The fields of an account that a mask may name, beside `limits` for all of them."""


class AccountRequest:
    """Reads the fields of a request, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def add(self, field: str, reason: str, problem: str) -> None:
        """Notes one fault."""
        self.violations.append(Violation(field, reason, problem))

    def new_identifier(self, field: str, value: str) -> None:
        """An identifier that is put on record, or paid to, is required."""
        if problem := identifier_problem(value):
            self.add(field, reasons.INVALID_IDENTIFIER, problem)

    def text(self, field: str, value: str, limit: int = MAX_IDENTIFIER) -> None:
        """A short text is required."""
        if problem := text_problem(value, limit):
            self.add(field, reasons.INVALID_TEXT, problem)

    def optional_text(self, field: str, value: str, limit: int = MAX_IDENTIFIER) -> None:
        """A short text, or none."""
        if value:
            self.text(field, value, limit)

    def payment_reference(self, reference: str) -> None:
        """What names a payment on the other side is required."""
        if problem := text_problem(reference, MAX_IDENTIFIER) or reference_problem(reference):
            self.add("reference", reasons.INVALID_TEXT, problem)

    def credit_limit(self, micros: int) -> Decimal:
        """The credit limit in KES."""
        if not 0 <= from_micros(micros) <= LARGEST_BOOKING:
            problem = f"is KES {plain(from_micros(micros))}; give 0 to KES {LARGEST_BOOKING:,}"
            self.add("credit_limit_micros", reasons.OUT_OF_RANGE, problem)
        return from_micros(micros)

    def limits(self, limits: pb.AccountLimits) -> AccountLimits:
        """The limits of an account."""
        return read_limits(limits, self.add)

    def mode(self, value: int) -> AccountMode | None:
        """How an account pays; None when unspecified."""
        if value and value not in MODE_OF:
            self.add("mode", reasons.INVALID_VALUE, f"has the unknown value {value}; use POSTPAID or PREPAID")
        return MODE_OF.get(value)

    def status(self, value: int) -> AccountStatus | None:
        """Whether an account may send; None when unspecified."""
        if value and value not in STATUS_OF:
            self.add("status", reasons.INVALID_VALUE, f"has the unknown value {value}; use ACTIVE, SUSPENDED or CLOSED")
        return STATUS_OF.get(value)

    def page_size(self, size: int) -> int:
        """How much a page may have."""
        if not 0 <= size <= MAX_PAGE:
            self.add("page_size", reasons.OUT_OF_RANGE, f"is {size}; give 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}")
        return size or DEFAULT_PAGE

    def through(self, request: pb.ListLedgerEntriesRequest | pb.GetStatementRequest) -> int | None:
        """The number that a list or statement stops at; None for what is booked now."""
        if not request.HasField("through_entry_id"):
            return None
        if request.through_entry_id < 0:
            self.add(
                "through_entry_id", reasons.OUT_OF_RANGE, f"is {request.through_entry_id}; pass on what was answered"
            )
        return request.through_entry_id

    def period(self, request: pb.ListLedgerEntriesRequest | pb.GetStatementRequest) -> tuple[datetime, datetime]:
        """The first instant of a period and the first after it. Raises ServiceError when anything is wrong so far."""
        self.refuse()
        start, end = wire.to_period(request)
        if start >= end:
            problem = "is not after the start of the period; give the first instant after it"
            self.add("period_end", reasons.OUT_OF_RANGE, problem)
        return start, end

    def refuse(self) -> None:
        """Raises ServiceError INVALID_ARGUMENT when anything is wrong, naming all of it."""
        if self.violations:
            raise invalid(self.violations)

    def amount(self, micros: int, *, negative: bool) -> Decimal:
        """What is booked, in KES."""
        amount = from_micros(micros)
        if micros == 0 or abs(amount) > LARGEST_BOOKING or (micros < 0 and not negative):
            ways = "other than 0, and either way" if negative else "above 0, and"
            problem = f"is KES {plain(amount)}; give one {ways} at most KES {LARGEST_BOOKING:,}"
            self.add("amount_micros", reasons.OUT_OF_RANGE, problem)
        return amount


def to_changes(request: pb.UpdateAccountRequest) -> AccountChanges:
    """What an update changes: what its mask names, or else what is present. Raises ServiceError INVALID_ARGUMENT."""
    read = AccountRequest()
    read.text("user_id", request.user_id)
    paths = set(request.update_mask.paths)
    if "limits" in paths:
        paths = paths - {"limits"} | set(LIMITS)
    if unknown := sorted(paths - set(CHANGEABLE)):
        problem = f"names {unknown[0]!r}; name only fields that can change, which UpdateAccountRequest lists"
        read.add("update_mask", reasons.INVALID_VALUE, problem)
    named = paths or _present(request)
    if not named:
        read.add("", reasons.REQUIRED, "nothing is to be changed; give one field at least")
    mode, status = read.mode(request.mode), read.status(request.status)
    for name, value in (("mode", request.mode), ("status", request.status)):
        if name in named and value == 0:
            read.add(name, reasons.REQUIRED, "is named by the mask and not given; an account always has one")
    credit_limit = read.credit_limit(request.credit_limit_micros) if "credit_limit_micros" in named else None
    limits = read.limits(request.limits)
    read.refuse()
    return AccountChanges(
        mode=mode if "mode" in named else None,
        status=status if "status" in named else None,
        credit_limit=credit_limit,
        resend_unknown=request.resend_unknown if "resend_unknown" in named else None,
        limits={name: getattr(limits, name) for path, name in LIMITS.items() if path in named},
    )


def _present(request: pb.UpdateAccountRequest) -> set[str]:
    fields = {field.name for field, _ in request.ListFields()}
    return fields & set(CHANGEABLE) | {f"limits.{field.name}" for field, _ in request.limits.ListFields()}


def ledger_position(values: list[str | int]) -> tuple[datetime, int, int]:
    """The time and number of an entry in a page token, and the number at which its list ends."""
    moment, number, through = values
    try:
        at = datetime.fromisoformat(str(moment))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise page_token.refused("does not hold a position; start again without it")
    if not (isinstance(number, int) and isinstance(through, int) and 0 < number <= through <= MAX_ENTRY):
        raise page_token.refused("does not hold a position; start again without it")
    return at, number, through
