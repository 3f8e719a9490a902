"""BillingService over gRPC."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog

from messaging_service.accounts.domain.account import AccountMode, AccountStatus
from messaging_service.accounts.domain.ledger import EntryKind, LedgerEntry, NewEntry
from messaging_service.accounts.grpc.account_messages import ACCOUNT_STATUSES, MODES
from messaging_service.accounts.grpc.billing_messages import (
    KINDS,
    MAX_REASON,
    Faults,
    from_entry,
    from_fault,
    from_terms,
)
from messaging_service.accounts.ledger_store import Booked, LedgerStore, NewTerms
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.grpc import wire
from messaging_service.shared.grpc.entry_ids import existing
from service_kit import page_token
from service_kit.errors import invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import billing_pb2 as pb
from tukupay.sms.messaging.v1 import billing_pb2_grpc

DEFAULT_PAGE = 100
MAX_PAGE = 1_000
MAX_FAULTS = 1_000
MAX_ENTRY = 2**63 - 1
MAX_ATTEMPT = 2**15 - 1
MODE_OF = {value: mode for mode, value in MODES.items()}
STATUS_OF = {value: status for status, value in ACCOUNT_STATUSES.items()}

log = structlog.get_logger()


class BillingServicer(billing_pb2_grpc.BillingServiceServicer):
    """Translates between the stubs and the books."""

    def __init__(self, books: LedgerStore) -> None:
        self._books = books

    async def OpenAccount(self, request: pb.OpenAccountRequest, context: Context) -> pb.OpenAccountResponse:  # noqa: N802
        """See the proto."""
        faults = Faults()
        faults.new_identifier("user_id", request.user_id)
        mode = _mode(request.mode, faults)
        if request.mode == 0:
            faults.add("mode", "REQUIRED", "is not said; use ACCOUNT_MODE_POSTPAID or ACCOUNT_MODE_PREPAID")
        credit_limit = faults.credit_limit(request.credit_limit_micros)
        limits = faults.limits(request.limits)
        _refuse(faults)
        account, replayed = await self._books.open(request.user_id, mode or AccountMode.POSTPAID, credit_limit, limits)
        if not replayed:
            log.info("account.opened", account=account.id, mode=account.mode.value)
        return pb.OpenAccountResponse(terms=from_terms(account), replayed=replayed)

    async def SetAccountTerms(  # noqa: N802
        self, request: pb.SetAccountTermsRequest, context: Context
    ) -> pb.SetAccountTermsResponse:
        """See the proto."""
        faults = Faults()
        faults.text("user_id", request.user_id)
        terms = NewTerms(
            mode=_mode(request.mode, faults),
            status=_status(request.status, faults),
            credit_limit=(
                faults.credit_limit(request.credit_limit_micros) if request.HasField("credit_limit_micros") else None
            ),
            limits=faults.limits(request.limits) if request.HasField("limits") else None,
        )
        if terms == NewTerms():
            faults.add("", "REQUIRED", "nothing is to be changed; give a mode, status, credit limit or limits")
        _refuse(faults)
        account = await self._books.set_terms(request.user_id, terms)
        log.info("account.terms", account=account.id, mode=account.mode.value, status=account.status.value)
        return pb.SetAccountTermsResponse(terms=from_terms(account))

    async def GetAccountTerms(  # noqa: N802
        self, request: pb.GetAccountTermsRequest, context: Context
    ) -> pb.GetAccountTermsResponse:
        """See the proto."""
        faults = Faults()
        faults.text("user_id", request.user_id)
        _refuse(faults)
        return pb.GetAccountTermsResponse(terms=from_terms(await self._books.account(request.user_id)))

    async def ListAccounts(self, request: pb.ListAccountsRequest, context: Context) -> pb.ListAccountsResponse:  # noqa: N802
        """See the proto."""
        faults = Faults()
        mode, status = _mode(request.mode, faults), _status(request.status, faults)
        _check_page_size(request.page_size, faults)
        _refuse(faults)
        question = (str(mode or ""), str(status or ""))
        after = None
        if request.page_token:
            (position,) = page_token.decode(request.page_token, question, 1)
            if not isinstance(position, str) or text_problem(position, MAX_IDENTIFIER):
                raise page_token.refused("does not hold a position; start again without it")
            after = position
        size = request.page_size or DEFAULT_PAGE
        found = list(await self._books.accounts(mode, status, size + 1, after))
        page = found[:size]
        token = page_token.encode((page[-1].id,), question) if len(found) > size else ""
        return pb.ListAccountsResponse(accounts=[from_terms(account) for account in page], next_page_token=token)

    async def TopUp(self, request: pb.TopUpRequest, context: Context) -> pb.TopUpResponse:  # noqa: N802
        """See the proto."""
        faults = Faults()
        faults.new_identifier("user_id", request.user_id)
        amount = faults.amount(request.amount_micros, negative=False)
        faults.payment_reference(request.reference)
        override = request.override_reason if request.HasField("override_reason") else None
        if override is None:
            faults.optional_text("booked_by", request.booked_by)
        else:
            faults.text("booked_by", request.booked_by)
            faults.text("override_reason", override, MAX_REASON)
        _refuse(faults)
        reference = request.reference.strip()
        entry = NewEntry(request.user_id, EntryKind.TOP_UP, amount, reference, override, request.booked_by)
        booked = await self._booked(entry)
        return pb.TopUpResponse(
            entry=from_entry(booked.entry), replayed=booked.replayed, terms=from_terms(booked.account)
        )

    async def Adjust(self, request: pb.AdjustRequest, context: Context) -> pb.AdjustResponse:  # noqa: N802
        """See the proto."""
        faults = Faults()
        faults.text("user_id", request.user_id)
        amount = faults.amount(request.amount_micros, negative=True)
        faults.text("reason", request.reason, MAX_REASON)
        faults.text("booked_by", request.booked_by)
        reference = request.reference if request.HasField("reference") else None
        if reference is not None:
            faults.text("reference", reference)
        _refuse(faults)
        entry = NewEntry(request.user_id, EntryKind.ADJUSTMENT, amount, reference, request.reason, request.booked_by)
        booked = await self._booked(entry)
        return pb.AdjustResponse(
            entry=from_entry(booked.entry), replayed=booked.replayed, terms=from_terms(booked.account)
        )

    async def RefundSms(self, request: pb.RefundSmsRequest, context: Context) -> pb.RefundSmsResponse:  # noqa: N802
        """See the proto."""
        message_id: UUID = existing(request.outbox_id)
        faults = Faults()
        faults.text("reason", request.reason, MAX_REASON)
        faults.text("booked_by", request.booked_by)
        attempt = request.attempt if request.HasField("attempt") else None
        if attempt is not None and not 1 <= attempt <= MAX_ATTEMPT:
            faults.add("attempt", "OUT_OF_RANGE", f"is {attempt}; the first attempt is 1, and each resend is one more")
        _refuse(faults)
        refunded = await self._books.refund(message_id, request.reason, request.booked_by, attempt)
        if not refunded.replayed:
            for entry in refunded.entries:
                _note(entry)
        entries = [from_entry(entry) for entry in refunded.entries]
        return pb.RefundSmsResponse(entry=entries[-1], replayed=refunded.replayed, entries=entries)

    async def ListLedgerEntries(  # noqa: N802
        self, request: pb.ListLedgerEntriesRequest, context: Context
    ) -> pb.ListLedgerEntriesResponse:
        """See the proto."""
        faults = Faults()
        faults.text("user_id", request.user_id)
        start, end = _period(request, faults)
        _check_page_size(request.page_size, faults)
        through = _through(request, faults)
        _refuse(faults)
        question = (request.user_id, start.isoformat(), end.isoformat())
        after = None
        if request.page_token:
            at, number, of_token = _position(page_token.decode(request.page_token, question, 3))
            if at < start or (through is not None and through != of_token):
                raise page_token.refused("does not hold a position of this list; start again without it")
            after, through = (at, number), of_token
        size = request.page_size or DEFAULT_PAGE
        listed = await self._books.entries(request.user_id, start, end, size + 1, after, through=through)
        page = listed.entries[:size]
        token = ""
        if len(listed.entries) > size:
            token = page_token.encode((page[-1].booked_at.isoformat(), page[-1].id, listed.through), question)
        return pb.ListLedgerEntriesResponse(
            entries=[from_entry(entry) for entry in page], next_page_token=token, through_entry_id=listed.through
        )

    async def GetStatement(self, request: pb.GetStatementRequest, context: Context) -> pb.GetStatementResponse:  # noqa: N802
        """See the proto."""
        faults = Faults()
        faults.text("user_id", request.user_id)
        start, end = _period(request, faults)
        through = _through(request, faults)
        _refuse(faults)
        statement = await self._books.statement(request.user_id, start, end, through=through)
        return pb.GetStatementResponse(
            opening_micros=to_micros(statement.opening),
            closing_micros=to_micros(statement.closing),
            totals=[
                pb.LedgerTotal(
                    kind=KINDS[kind],
                    entries=statement.totals[kind].entries,
                    amount_micros=to_micros(statement.totals[kind].amount),
                )
                for kind in EntryKind
                if kind in statement.totals
            ],
            through_entry_id=statement.through,
        )

    async def VerifyBooks(self, request: pb.VerifyBooksRequest, context: Context) -> pb.VerifyBooksResponse:  # noqa: N802
        """See the proto."""
        faults = Faults()
        account_id = request.user_id if request.HasField("user_id") else None
        if account_id is not None:
            faults.text("user_id", account_id)
        _refuse(faults)
        verified = await self._books.verify(account_id, MAX_FAULTS)
        if verified.faults:
            log.error(
                "books.faulty", faults=len(verified.faults), rules=sorted({f.rule.value for f in verified.faults})
            )
        return pb.VerifyBooksResponse(
            accounts=verified.accounts,
            messages=verified.messages,
            entries=verified.entries,
            faults=[from_fault(fault) for fault in verified.faults],
            shared_references=[
                pb.SharedReference(entries=[from_entry(entry) for entry in entries]) for entries in verified.shared
            ],
        )

    async def _booked(self, entry: NewEntry) -> Booked:
        booked = await self._books.book(entry)
        if not booked.replayed:
            _note(booked.entry)
        return booked


def _note(entry: LedgerEntry) -> None:
    log.info("ledger.booked", entry=entry.id, account=entry.account_id, kind=entry.kind.value, by=entry.booked_by)


def _mode(value: int, faults: Faults) -> AccountMode | None:
    if value and value not in MODE_OF:
        faults.add("mode", "INVALID_VALUE", f"has the unknown value {value}; use POSTPAID or PREPAID")
    return MODE_OF.get(value)  # type: ignore[call-overload,no-any-return]  # any number may be on the wire


def _status(value: int, faults: Faults) -> AccountStatus | None:
    if value and value not in STATUS_OF:
        faults.add("status", "INVALID_VALUE", f"has the unknown value {value}; use ACTIVE, SUSPENDED or CLOSED")
    return STATUS_OF.get(value)  # type: ignore[call-overload,no-any-return]  # any number may be on the wire


def _position(values: list[str | int]) -> tuple[datetime, int, int]:
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


def _through(request: pb.ListLedgerEntriesRequest | pb.GetStatementRequest, faults: Faults) -> int | None:
    if not request.HasField("through_entry_id"):
        return None
    if request.through_entry_id < 0:
        faults.add("through_entry_id", "OUT_OF_RANGE", f"is {request.through_entry_id}; pass on what was answered")
    return request.through_entry_id


def _check_page_size(size: int, faults: Faults) -> None:
    if not 0 <= size <= MAX_PAGE:
        faults.add("page_size", "OUT_OF_RANGE", f"is {size}; give 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}")


def _period(request: pb.ListLedgerEntriesRequest | pb.GetStatementRequest, faults: Faults) -> tuple[datetime, datetime]:
    _refuse(faults)
    start, end = wire.to_period(request)
    if start >= end:
        faults.add(
            "period_end", "OUT_OF_RANGE", "is not after the start of the period; give the first instant after it"
        )
    return start, end


def _refuse(faults: Faults) -> None:
    if faults.violations:
        raise invalid(faults.violations)
