"""AccountService over gRPC."""

from __future__ import annotations

from uuid import UUID

import structlog
from typing_extensions import override

from messaging_service.accounts.domain.account import AccountMode
from messaging_service.accounts.domain.ledger import EntryKind, LedgerEntry
from messaging_service.accounts.grpc.account_messages import KINDS, from_account, from_entry, from_fault
from messaging_service.accounts.grpc.account_requests import MAX_REASON, AccountRequest, ledger_position, to_changes
from messaging_service.accounts.keep_books import KeepBooks
from messaging_service.accounts.ledger_store import Booked
from messaging_service.accounts.manage_accounts import ManageAccounts
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.grpc.entry_ids import existing
from service_kit import page_token
from service_kit.audit.actor import actor
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1 import accounts_pb2_grpc

MAX_ATTEMPT = 2**15 - 1

log = structlog.get_logger()


class AccountServicer(accounts_pb2_grpc.AccountServiceServicer):
    """Translates between the stubs, the accounts and their ledger."""

    def __init__(self, accounts: ManageAccounts, books: KeepBooks) -> None:
        self._accounts = accounts
        self._books = books

    @override
    async def OpenAccount(self, request: pb.OpenAccountRequest, context: Context) -> pb.OpenAccountResponse:
        read = AccountRequest()
        read.new_identifier("user_id", request.user_id)
        mode = read.mode(request.mode)
        if request.mode == 0:
            read.add("mode", reasons.REQUIRED, "is not set; use ACCOUNT_MODE_POSTPAID or ACCOUNT_MODE_PREPAID")
        credit_limit = read.credit_limit(request.credit_limit_micros)
        limits = read.limits(request.limits)
        read.refuse()
        account, replayed = await self._accounts.open(
            request.user_id, mode or AccountMode.POSTPAID, credit_limit, limits, actor=actor()
        )
        if not replayed:
            log.info("account.opened", account=account.id, mode=account.mode.value)
        return pb.OpenAccountResponse(account=from_account(account), replayed=replayed)

    @override
    async def UpdateAccount(self, request: pb.UpdateAccountRequest, context: Context) -> pb.UpdateAccountResponse:
        changes = to_changes(request)
        account = await self._accounts.update(request.user_id, changes, actor=actor())
        log.info(
            "account.updated",
            account=account.id,
            mode=account.mode.value,
            status=account.status.value,
            resend_unknown=account.resend_unknown,
        )
        return pb.UpdateAccountResponse(account=from_account(account))

    @override
    async def GetAccount(self, request: pb.GetAccountRequest, context: Context) -> pb.GetAccountResponse:
        read = AccountRequest()
        read.text("user_id", request.user_id)
        read.refuse()
        return pb.GetAccountResponse(account=from_account(await self._accounts.account(request.user_id)))

    @override
    async def ListAccounts(self, request: pb.ListAccountsRequest, context: Context) -> pb.ListAccountsResponse:
        read = AccountRequest()
        mode, status = read.mode(request.mode), read.status(request.status)
        size = read.page_size(request.page_size)
        read.refuse()
        question = (str(mode or ""), str(status or ""))
        after = None
        if request.page_token:
            (position,) = page_token.decode(request.page_token, question, 1)
            if not isinstance(position, str) or text_problem(position, MAX_IDENTIFIER):
                raise page_token.refused("does not hold a position; start again without it")
            after = position
        found = list(await self._accounts.accounts(mode, status, size + 1, after))
        page = found[:size]
        token = page_token.encode((page[-1].id,), question) if len(found) > size else ""
        return pb.ListAccountsResponse(accounts=[from_account(account) for account in page], next_page_token=token)

    @override
    async def TopUp(self, request: pb.TopUpRequest, context: Context) -> pb.TopUpResponse:
        read = AccountRequest()
        read.new_identifier("user_id", request.user_id)
        amount = read.amount(request.amount_micros, negative=False)
        read.payment_reference(request.reference)
        override = request.override_reason if request.HasField("override_reason") else None
        if override is None:
            read.optional_text("booked_by", request.booked_by)
        else:
            read.text("booked_by", request.booked_by)
            read.text("override_reason", override, MAX_REASON)
        read.refuse()
        booked = await self._books.top_up(
            request.user_id,
            amount,
            request.reference,
            request.booked_by,
            override_reason=override,
            actor=actor(),
        )
        _note_new(booked)
        return pb.TopUpResponse(
            entry=from_entry(booked.entry), replayed=booked.replayed, account=from_account(booked.account)
        )

    @override
    async def Adjust(self, request: pb.AdjustRequest, context: Context) -> pb.AdjustResponse:
        read = AccountRequest()
        read.text("user_id", request.user_id)
        amount = read.amount(request.amount_micros, negative=True)
        read.text("reason", request.reason, MAX_REASON)
        read.text("booked_by", request.booked_by)
        reference = request.reference if request.HasField("reference") else None
        if reference is not None:
            read.text("reference", reference)
        read.refuse()
        booked = await self._books.adjust(
            request.user_id, amount, reference, request.reason, request.booked_by, actor=actor()
        )
        _note_new(booked)
        return pb.AdjustResponse(
            entry=from_entry(booked.entry), replayed=booked.replayed, account=from_account(booked.account)
        )

    @override
    async def RefundSms(self, request: pb.RefundSmsRequest, context: Context) -> pb.RefundSmsResponse:
        message_id: UUID = existing(request.outbox_id)
        read = AccountRequest()
        read.text("reason", request.reason, MAX_REASON)
        read.text("booked_by", request.booked_by)
        attempt = request.attempt if request.HasField("attempt") else None
        if attempt is not None and not 1 <= attempt <= MAX_ATTEMPT:
            read.add(
                "attempt", reasons.OUT_OF_RANGE, f"is {attempt}; the first attempt is 1, and each resend is one more"
            )
        read.refuse()
        refunded = await self._books.refund(message_id, request.reason, request.booked_by, attempt, actor=actor())
        if not refunded.replayed:
            for entry in refunded.entries:
                _note(entry)
        entries = [from_entry(entry) for entry in refunded.entries]
        return pb.RefundSmsResponse(entry=entries[-1], replayed=refunded.replayed, entries=entries)

    @override
    async def ListLedgerEntries(
        self, request: pb.ListLedgerEntriesRequest, context: Context
    ) -> pb.ListLedgerEntriesResponse:
        read = AccountRequest()
        read.text("user_id", request.user_id)
        start, end = read.period(request)
        size = read.page_size(request.page_size)
        through = read.through(request)
        read.refuse()
        question = (request.user_id, start.isoformat(), end.isoformat())
        after = None
        if request.page_token:
            at, number, of_token = ledger_position(page_token.decode(request.page_token, question, 3))
            if at < start or (through is not None and through != of_token):
                raise page_token.refused("does not hold a position of this list; start again without it")
            after, through = (at, number), of_token
        listed = await self._books.entries(request.user_id, start, end, size + 1, after, through=through)
        page = listed.entries[:size]
        token = ""
        if len(listed.entries) > size:
            token = page_token.encode((page[-1].booked_at.isoformat(), page[-1].id, listed.through), question)
        return pb.ListLedgerEntriesResponse(
            entries=[from_entry(entry) for entry in page], next_page_token=token, through_entry_id=listed.through
        )

    @override
    async def GetStatement(self, request: pb.GetStatementRequest, context: Context) -> pb.GetStatementResponse:
        read = AccountRequest()
        read.text("user_id", request.user_id)
        start, end = read.period(request)
        through = read.through(request)
        read.refuse()
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

    @override
    async def VerifyBooks(self, request: pb.VerifyBooksRequest, context: Context) -> pb.VerifyBooksResponse:
        read = AccountRequest()
        account_id = request.user_id if request.HasField("user_id") else None
        if account_id is not None:
            read.text("user_id", account_id)
        read.refuse()
        verified = await self._books.verify(account_id)
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


def _note_new(booked: Booked) -> None:
    if not booked.replayed:
        _note(booked.entry)


def _note(entry: LedgerEntry) -> None:
    log.info("ledger.booked", entry=entry.id, account=entry.account_id, kind=entry.kind.value, by=entry.booked_by)
