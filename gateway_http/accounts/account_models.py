"""Balances, payments and statements as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw

from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import instant
from gateway_http.shared.rest_money import micros, number
from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import accounts_pb2

Mode = Literal["postpaid", "prepaid"]
AccountStatusName = Literal["active", "suspended", "closed"]
Kind = Literal["charge", "refund", "top_up", "adjustment"]

_MODES: dict[int, Mode] = {
    accounts_pb2.ACCOUNT_MODE_POSTPAID: "postpaid",
    accounts_pb2.ACCOUNT_MODE_PREPAID: "prepaid",
}
_STATUSES: dict[int, AccountStatusName] = {
    accounts_pb2.ACCOUNT_STATUS_ACTIVE: "active",
    accounts_pb2.ACCOUNT_STATUS_SUSPENDED: "suspended",
    accounts_pb2.ACCOUNT_STATUS_CLOSED: "closed",
}
_KINDS: dict[int, Kind] = {
    accounts_pb2.LEDGER_ENTRY_KIND_CHARGE: "charge",
    accounts_pb2.LEDGER_ENTRY_KIND_REFUND: "refund",
    accounts_pb2.LEDGER_ENTRY_KIND_TOP_UP: "top_up",
    accounts_pb2.LEDGER_ENTRY_KIND_ADJUSTMENT: "adjustment",
}

_GUARDS: dict[int, Literal["off", "alert", "block"]] = {
    accounts_pb2.PUMPING_GUARD_OFF: "off",
    accounts_pb2.PUMPING_GUARD_ALERT: "alert",
    accounts_pb2.PUMPING_GUARD_BLOCK: "block",
}
_CountedLimit: TypeAlias = Literal[
    "messages_per_minute",
    "messages_per_recipient_hour",
    "messages_per_recipient_window",
    "otps_per_recipient_window",
]


def _money(description: str) -> Meta:
    return Meta(description=description, extra_json_schema={"type": "number", "examples": [25.5]})


def _money_or_null(description: str) -> Meta:
    return Meta(description=description, extra_json_schema={"type": ["number", "null"], "examples": [25.5]})


_UserId = Annotated[str, Meta(description="The account.", extra_json_schema={"minLength": 1, "maxLength": 64})]
_Currency = Annotated[Literal["KES"], Meta(description="ISO 4217.")]
_Instant = Annotated[datetime, Meta(tz=True)]


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """What the account may spend and send; null is no limit."""

    daily_spend: Annotated[Raw | None, _money_or_null("KES in a day of Nairobi; what fails later counts too.")]
    messages_per_minute: Annotated[int | None, Meta(description="In a minute of the clock.")]
    messages_per_recipient_hour: Annotated[int | None, Meta(description="To one phone in an hour of the clock.")]
    messages_per_recipient_window: Annotated[int | None, Meta(description="To one phone in any 10 minutes.")]
    otps_per_recipient_window: Annotated[
        int | None,
        Meta(description="One-time codes to one phone in any 10 minutes; null is the limit of the service."),
    ]
    destinations: Annotated[
        Sequence[str] | None,
        Meta(description="Countries that it may send to, by ISO codes; null is those of the service."),
    ]
    pumping: Annotated[
        Literal["off", "alert", "block"] | None,
        Meta(
            description="What happens when numbers look pumped; null: its one-time codes are watched, and it is warned."
        ),
    ]

    @classmethod
    def of(cls, limits: accounts_pb2.AccountLimits) -> Limits:
        """The REST form of limits."""

        def number_of(field: _CountedLimit) -> int | None:
            return getattr(limits, field) if limits.HasField(field) else None

        return cls(
            daily_spend=number(limits.daily_spend_micros) if limits.HasField("daily_spend_micros") else None,
            messages_per_minute=number_of("messages_per_minute"),
            messages_per_recipient_hour=number_of("messages_per_recipient_hour"),
            messages_per_recipient_window=number_of("messages_per_recipient_window"),
            otps_per_recipient_window=number_of("otps_per_recipient_window"),
            destinations=list(limits.destinations.countries) if limits.HasField("destinations") else None,
            pumping=_GUARDS.get(limits.pumping),
        )


class Balance(msgspec.Struct, frozen=True, rename="camel"):
    """An account as it stands. Amounts in KES."""

    user_id: _UserId
    mode: Annotated[Mode, Meta(description="prepaid: sends from its balance. postpaid: is billed later.")]
    status: Annotated[AccountStatusName, Meta(description="Only an active account sends.")]
    currency: _Currency
    balance: Annotated[Raw, _money("What was paid less what was charged; below zero is owed.")]
    held: Annotated[Raw, _money("Reserved for messages whose outcome is open.")]
    credit_limit: Annotated[Raw, _money("How far below zero a prepaid account may go.")]
    available: Annotated[
        Raw | None, _money_or_null("What can be spent now: balance less held plus creditLimit; null for postpaid.")
    ]
    limits: Limits
    spent_today: Annotated[Raw, _money("What counts toward `dailySpend` so far.")]

    @classmethod
    def of(cls, account: accounts_pb2.Account) -> Balance:
        """The REST form of an account."""
        return cls(
            user_id=account.user_id,
            mode=_MODES[account.mode],
            status=_STATUSES[account.status],
            currency="KES",
            balance=number(account.posted_micros),
            held=number(account.held_micros),
            credit_limit=number(account.credit_limit_micros),
            available=number(account.available_micros) if account.HasField("available_micros") else None,
            limits=Limits.of(account.limits),
            spent_today=number(account.spent_today_micros),
        )


class NewTopUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A payment to book. `null` for an optional field is the same as leaving it out."""

    user_id: _UserId
    amount: Annotated[
        Raw,
        Meta(
            description="What was paid, in KES: above 0, at most 6 decimal places.",
            extra_json_schema={"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000_000, "examples": [500]},
        ),
    ]
    reference: Annotated[
        str,
        Meta(
            description="What names the payment on the other side, for instance an M-PESA receipt number, in Latin "
            "letters. It stands for one payment over all accounts and is booked once, however often it comes.",
            extra_json_schema={"minLength": 1, "maxLength": 64, "examples": ["QK12ABC3DE"]},
        ),
    ]
    booked_by: Annotated[
        str | None, Meta(description="Who books it.", extra_json_schema={"minLength": 1, "maxLength": 64})
    ] = None

    def to_request(self) -> accounts_pb2.TopUpRequest:
        """The call that books it; raises ProblemError when the amount cannot be read."""
        amount = micros(bytes(self.amount), "amount")
        if isinstance(amount, Violation):
            raise invalid_fields([amount])
        return accounts_pb2.TopUpRequest(
            user_id=self.user_id, amount_micros=amount, reference=self.reference, booked_by=self.booked_by or ""
        )


class LedgerEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One booking; never changed or removed."""

    entry_id: Annotated[int, Meta(description="Its number.")]
    kind: Annotated[Kind, Meta(description="charge: a message. refund: a charge paid back. top_up: a payment.")]
    amount: Annotated[Raw, _money("What it adds to the balance.")]
    booked_at: _Instant
    outbox_id: Annotated[str | None, Meta(description="The message of a charge or refund.")]
    attempt: Annotated[
        int | None,
        Meta(description="The attempt of that message, 1 for the first: a refund pays back the charge of one attempt."),
    ]
    reference: Annotated[str | None, Meta(description="The other side's name for it.")]
    reason: Annotated[str | None, Meta(description="Why, of a refund or adjustment.")]
    booked_by: Annotated[str | None, Meta(description="Who booked it; null for charges, which nobody books by hand.")]

    @classmethod
    def of(cls, entry: accounts_pb2.LedgerEntry) -> LedgerEntry:
        """The REST form of an entry."""
        return cls(
            entry_id=entry.entry_id,
            kind=_KINDS[entry.kind],
            amount=number(entry.amount_micros),
            booked_at=instant(entry.booked_time),
            outbox_id=entry.outbox_id if entry.HasField("outbox_id") else None,
            attempt=entry.attempt if entry.HasField("attempt") else None,
            reference=entry.reference if entry.HasField("reference") else None,
            reason=entry.reason if entry.HasField("reason") else None,
            booked_by=entry.booked_by or None,
        )


class TopUpAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The booking, and the account after it."""

    entry: LedgerEntry
    account: Balance


class KindTotal(msgspec.Struct, frozen=True, rename="camel"):
    """All entries of one kind."""

    kind: Kind
    entries: Annotated[int, Meta(ge=0, description="How many.")]
    amount: Annotated[Raw, _money("Their sum.")]


class Statement(msgspec.Struct, frozen=True, rename="camel"):
    """A period of an account. Amounts in KES."""

    user_id: _UserId
    currency: _Currency
    opening_balance: Annotated[Raw, _money("Before the period, without holds.")]
    closing_balance: Annotated[Raw, _money("At its end: openingBalance plus all totals.")]
    totals: Annotated[Sequence[KindTotal], Meta(description="One for each kind that has entries.")]
    entries: Annotated[Sequence[LedgerEntry], Meta(description="A page of them, oldest first; see `Link`.")]

    @classmethod
    def of(
        cls, user_id: str, statement: accounts_pb2.GetStatementResponse, page: accounts_pb2.ListLedgerEntriesResponse
    ) -> Statement:
        """The REST form of a statement with a page of its entries."""
        return cls(
            user_id=user_id,
            currency="KES",
            opening_balance=number(statement.opening_micros),
            closing_balance=number(statement.closing_micros),
            totals=[
                KindTotal(_KINDS[total.kind], total.entries, number(total.amount_micros)) for total in statement.totals
            ],
            entries=[LedgerEntry.of(entry) for entry in page.entries],
        )
