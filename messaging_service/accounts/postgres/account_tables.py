"""Who pays, what they paid, and what they may still send."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from messaging_service.accounts.domain.account import AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import PumpingGuard
from messaging_service.shared.postgres.columns import INSTANT, MONEY, NOW, metadata, one_of

account = Table(
    "account",
    metadata,
    Column("id", Text, nullable=False),
    Column("mode", Text, nullable=False, server_default=AccountMode.POSTPAID.value),
    Column("status", Text, nullable=False, server_default=AccountStatus.ACTIVE.value),
    Column("posted", MONEY, nullable=False, server_default="0"),
    Column("held", MONEY, nullable=False, server_default="0"),
    Column("credit_limit", MONEY, nullable=False, server_default="0"),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("resend_unknown", Boolean, nullable=False, server_default=text("false")),
    Column("daily_spend_limit", MONEY),
    Column("minute_limit", Integer),
    Column("recipient_hour_limit", Integer),
    Column("spend_day", Date),
    Column("day_spent", MONEY, nullable=False, server_default="0"),
    Column("counted_minute", INSTANT),
    Column("minute_count", Integer, nullable=False, server_default="0"),
    # Set and lowered by bookings of operators alone; no message makes it greater.
    Column("overdrawn", MONEY, nullable=False, server_default="0"),
    Column("recipient_window_limit", Integer),
    Column("otp_window_limit", Integer),
    # NULL: those of the service.
    Column("destinations", ARRAY(Text)),
    # NULL: an alert for one-time codes.
    Column("pumping", Text),
    # Days that texts are kept; NULL for the setting of all accounts. Set by an operator.
    Column("text_retention_days", Integer),
    PrimaryKeyConstraint("id"),
    one_of("mode", AccountMode),
    one_of("status", AccountStatus),
    CheckConstraint("held >= 0", name="held_not_negative"),
    CheckConstraint("daily_spend_limit > 0 AND minute_limit > 0 AND recipient_hour_limit > 0", name="limits_positive"),
    CheckConstraint("recipient_window_limit > 0 AND otp_window_limit > 0", name="windows_positive"),
    CheckConstraint("destinations <> '{}'", name="destinations_not_empty"),
    one_of("pumping", PumpingGuard),
    CheckConstraint("text_retention_days > 0", name="text_retention_positive"),
    CheckConstraint("credit_limit >= 0", name="credit_limit_not_negative"),
    CheckConstraint("overdrawn >= 0", name="overdrawn_not_negative"),
    CheckConstraint("mode <> 'prepaid' OR posted - held >= -(credit_limit + overdrawn)", name="prepaid_within_limit"),
    postgresql_with={"fillfactor": 50},
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("account_id", Text, ForeignKey("account.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount", MONEY, nullable=False),
    Column("message_id", Uuid),
    Column("attempt", SmallInteger),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("reference", Text),
    Column("reason", Text),
    Column("booked_by", Text),
    PrimaryKeyConstraint("id"),
    CheckConstraint("kind IN ('charge', 'refund', 'top_up', 'adjustment')", name="kind"),
    CheckConstraint("kind <> 'charge' OR (amount <= 0 AND message_id IS NOT NULL)", name="charge_of_a_message"),
    CheckConstraint("kind <> 'refund' OR (amount >= 0 AND message_id IS NOT NULL)", name="refund_of_a_message"),
    UniqueConstraint("message_id", "attempt", "kind"),
    CheckConstraint("kind <> 'top_up' OR (amount > 0 AND reference IS NOT NULL)", name="top_up_with_reference"),
    CheckConstraint(
        "kind <> 'adjustment' OR (amount <> 0 AND reason IS NOT NULL AND booked_by IS NOT NULL)",
        name="adjustment_with_reason",
    ),
    Index("ix_ledger_entry_account_id_created_at_id", "account_id", "created_at", "id"),
    # Entries lie nearly in the order of their booking: a few bytes for every 32 pages find a period of all accounts.
    Index(
        "ix_ledger_entry_created_at",
        "created_at",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    ),
    Index(
        "uq_ledger_entry_reference",
        "account_id",
        "reference",
        unique=True,
        postgresql_where=text("reference IS NOT NULL"),
    ),
)

# The references of payments in the form by which they are compared. The first payment with a key has it; one that was
# booked with the same key because an operator said so, or before keys were compared over all accounts, shares it.
payment_reference = Table(
    "payment_reference",
    metadata,
    Column("entry_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("is_shared", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("entry_id"),
    Index("ix_payment_reference_key", "key"),
    Index("uq_payment_reference_key", "key", unique=True, postgresql_where=text("NOT is_shared")),
)

# How many messages a phone had from an account this hour; only for accounts with a limit for it.
recipient_hour = Table(
    "recipient_hour",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("hour", INSTANT, nullable=False),
    Column("messages", Integer, nullable=False),
    PrimaryKeyConstraint("account_id", "recipient"),
    postgresql_with={"fillfactor": 70},
)
