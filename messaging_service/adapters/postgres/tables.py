"""The tables of the messaging database, as the migrations must produce them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

from messaging_service.domain.accounts import AccountMode, AccountStatus
from messaging_service.domain.alerts import AlertKind
from messaging_service.domain.carrier_control import CarrierMode
from messaging_service.domain.money import PriceLevel
from messaging_service.domain.routing import DEFAULT_ROUTE
from messaging_service.domain.segmentation import Encoding
from messaging_service.domain.states import BILLINGS_OF, Billing, Priority, State
from messaging_service.domain.submission import ReceiptState
from messaging_service.domain.suppression import Directive, Source
from messaging_service.domain.webhooks import DeliveryState, EventType

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class TransactionId(UserDefinedType[str]):
    """The 64-bit number of a transaction, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        """Its name in PostgreSQL."""
        return "xid8"


# SQLAlchemy has no name for it, and would warn whenever it meets the column in a database.
ischema_names["xid8"] = TransactionId

INSTANT = TIMESTAMP(timezone=True)
MONEY = Numeric(18, 6)
NOW = text("now()")


def _one_of(column: str, words: Iterable[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({_quoted(words)})", name=column)


def _quoted(words: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


def _billing_of_state() -> str:
    """The condition that BILLINGS_OF is: the states with the same billings go together."""
    states_of: dict[frozenset[Billing], list[State]] = {}
    for state, billings in BILLINGS_OF.items():
        states_of.setdefault(billings, []).append(state)
    return " AND ".join(
        f"(state NOT IN ({_quoted(states)}) OR billing IN ({_quoted(sorted(billings))}))"
        for billings, states in states_of.items()
    )


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
    PrimaryKeyConstraint("id"),
    _one_of("mode", AccountMode),
    _one_of("status", AccountStatus),
    CheckConstraint("held >= 0", name="held_not_negative"),
    CheckConstraint("daily_spend_limit > 0 AND minute_limit > 0 AND recipient_hour_limit > 0", name="limits_positive"),
    CheckConstraint("credit_limit >= 0", name="credit_limit_not_negative"),
    CheckConstraint("mode <> 'prepaid' OR posted - held >= -credit_limit", name="prepaid_within_limit"),
    postgresql_with={"fillfactor": 50},
)

message = Table(
    "message",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("account_id", Text, ForeignKey("account.id"), nullable=False),
    Column("client_message_id", Text, nullable=False),
    Column("app_id", Text),
    Column("recipient", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("sender_id", Text, nullable=False),
    Column("message_name", Text),
    Column("priority", Text, nullable=False),
    Column("encoding", Text, nullable=False),
    Column("units", SmallInteger, nullable=False),
    Column("price_cost_id", Text, nullable=False),
    Column("price_level", Text, nullable=False),
    Column("unit_price", MONEY, nullable=False),
    Column("total", MONEY, nullable=False),
    Column("state", Text, nullable=False),
    Column("billing", Text, nullable=False),
    Column("retry_count", SmallInteger, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("carrier", Text),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("scheduled_at", INSTANT),
    Column("sent_at", INSTANT),
    Column("last_attempt_at", INSTANT),
    Column("delivered_at", INSTANT),
    Column("priced_at", INSTANT, comment="what the unit price is the price of, on the price book's clock"),
    Column("price_known_at", INSTANT, comment="newest change that the price book had when it was asked, on its clock"),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("custom_data", JSONB),
    Column("expires_at", INSTANT),
    Column("carrier_error_code", Text),
    PrimaryKeyConstraint("id"),
    _one_of("price_level", PriceLevel),
    _one_of("priority", Priority),
    _one_of("encoding", Encoding),
    _one_of("state", State),
    _one_of("billing", Billing),
    CheckConstraint(_billing_of_state(), name="billing_of_state"),
    CheckConstraint("units > 0", name="units_positive"),
    CheckConstraint("total = units * unit_price", name="total_exact"),
    Index("ix_message_account_id_created_at_id", "account_id", text("created_at DESC"), text("id DESC")),
    # Rows lie in the order of their creation, so a few bytes for every 32 pages find a period, and an insert
    # need not touch them.
    Index(
        "ix_message_created_at",
        "created_at",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    ),
    Index("ix_message_tags", "tags", postgresql_using="gin", postgresql_where=text("tags <> '{}'")),
    # No index names a column that a transition changes, and each page keeps room for a second version of its
    # rows: so updates stay in place and touch no index.
    postgresql_with={"fillfactor": 60},
)

dispatch = Table(
    "dispatch",
    metadata,
    Column("message_id", Uuid, ForeignKey("message.id"), nullable=False),
    Column("route", Text, nullable=False, server_default=DEFAULT_ROUTE),
    Column("lane", SmallInteger, nullable=False),
    Column("due_at", INSTANT, nullable=False),
    Column("queued_at", INSTANT, nullable=False),
    Column("state", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("lease_until", INSTANT),
    Column("recipient", Text),
    Column("avoid", ARRAY(Text), nullable=False, server_default="{}"),
    Column("expires_at", INSTANT),
    Column("resend_at", INSTANT),
    Column("resent", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("message_id"),
    CheckConstraint("lane IN (0, 1)", name="lane"),
    CheckConstraint("state IN ('ready', 'submitting', 'unknown')", name="state"),
    CheckConstraint("state <> 'unknown' OR recipient IS NOT NULL", name="recipient_while_unknown"),
    CheckConstraint("(state = 'submitting') = (lease_until IS NOT NULL)", name="lease_while_submitting"),
    CheckConstraint("resend_at IS NULL OR (state = 'unknown' AND NOT resent)", name="resend_once_while_unknown"),
    Index("ix_dispatch_ready", "route", "lane", "due_at", "message_id", postgresql_where=text("state = 'ready'")),
    Index("ix_dispatch_queued", "queued_at", postgresql_where=text("state = 'ready'")),
    Index("ix_dispatch_submitting", "lease_until", postgresql_where=text("state = 'submitting'")),
    Index("ix_dispatch_unknown", "due_at", postgresql_where=text("state = 'unknown'")),
    # What waits for a phone is found when it opts out. A message that is claimed as it is accepted carries no
    # recipient here, so that it pays for no entry.
    Index("ix_dispatch_ready_recipient", "recipient", postgresql_where=text("state = 'ready'")),
    Index("ix_dispatch_unknown_recipient", "recipient", postgresql_where=text("state = 'unknown'")),
    Index("ix_dispatch_expires_at", "expires_at", postgresql_where=text("state = 'ready' AND expires_at IS NOT NULL")),
    Index("ix_dispatch_resend_at", "resend_at", postgresql_where=text("resend_at IS NOT NULL")),
    # The queue is short and turns over all the time: room for in-place updates, and eager vacuum.
    postgresql_with={
        "fillfactor": 50,
        "autovacuum_vacuum_scale_factor": 0.0,
        "autovacuum_vacuum_threshold": 2000,
        "autovacuum_vacuum_cost_delay": 0,
    },
)

# No foreign keys from here to the message: rows are written beside it in the same statement and neither
# is ever deleted, while each check would cost a lookup on every transition.
message_event = Table(
    "message_event",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("at", INSTANT, nullable=False, server_default=NOW),
    Column("actor", Text, nullable=False),
    Column("carrier", Text),
    Column("code", Text),
    Column("raw", Text),
    Column("carrier_cost", MONEY),
    Column("carrier_parts", SmallInteger),
    # Who follows events asks which transactions were over when it last looked; ids alone cannot tell, as they are
    # given out before the commit. Nobody else writes it.
    Column("xact", TransactionId, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("next_try_at", INSTANT),
    Column("carrier_error_code", Text),
    PrimaryKeyConstraint("message_id", "id"),
    # Always inserted at its right end, where whole batches share one key.
    Index("ix_message_event_xact", "xact"),
)

message_part = Table(
    "message_part",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("part", SmallInteger, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("carrier_message_id", Text, nullable=False),
    Column("canonical_id", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="accepted"),
    PrimaryKeyConstraint("message_id", "attempt", "part"),
    _one_of("state", ReceiptState),
    Index("ix_message_part_carrier_canonical_id", "carrier", "canonical_id"),
    postgresql_with={"fillfactor": 85},
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("account_id", "key"),
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
    Index("ix_ledger_entry_account_id_id", "account_id", "id"),
    Index(
        "uq_ledger_entry_reference",
        "account_id",
        "reference",
        unique=True,
        postgresql_where=text("reference IS NOT NULL"),
    ),
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

receipt = Table(
    "receipt",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("carrier", Text, nullable=False),
    Column("carrier_message_id", Text, nullable=False),
    Column("canonical_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("recipient", Text),
    Column("sender_id", Text),
    Column("network_error", Text),
    Column("done_at", INSTANT),
    Column("raw", Text, nullable=False),
    Column("received_at", INSTANT, nullable=False, server_default=NOW),
    Column("message_id", Uuid),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("next_try_at", INSTANT, server_default=NOW),
    Column("network", Text),
    Column("all_parts", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("id"),
    _one_of("state", ReceiptState),
    Index("ix_receipt_next_try_at", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
    Index("ix_receipt_carrier_canonical_id", "carrier", "canonical_id"),
    Index("ix_receipt_orphans", "received_at", postgresql_where=text("message_id IS NULL AND next_try_at IS NULL")),
)

# What operators want of carriers; one without a row is running.
carrier_control = Table(
    "carrier_control",
    metadata,
    Column("carrier", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("changed_at", INSTANT, nullable=False, server_default=NOW),
    Column("changed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("carrier"),
    _one_of("mode", CarrierMode),
)

# How each process last saw each of its carriers, for operators; old rows are removed by whoever reports.
carrier_report = Table(
    "carrier_report",
    metadata,
    Column("carrier", Text, nullable=False),
    Column("replica", Text, nullable=False),
    Column("reported_at", INSTANT, nullable=False, server_default=NOW),
    Column("status", JSONB, nullable=False),
    PrimaryKeyConstraint("carrier", "replica"),
    postgresql_with={"fillfactor": 50},
)

suppression = Table(
    "suppression",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("phone", Text, nullable=False),
    Column("sender_id", Text),
    Column("sender_key", Text),
    # No foreign key: an account may be named before it sends for the first time.
    Column("account_id", Text),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("inbound_id", BigInteger),
    Column("ended_at", INSTANT),
    Column("ended_source", Text),
    Column("ended_by", Text),
    Column("ended_reason", Text),
    Column("pass_due_at", INSTANT),
    PrimaryKeyConstraint("id"),
    _one_of("source", Source),
    _one_of("ended_source", Source),
    CheckConstraint("(sender_id IS NULL) = (sender_key IS NULL)", name="sender_with_key"),
    CheckConstraint("num_nulls(ended_at, ended_source, ended_by, ended_reason) IN (0, 4)", name="ended_whole"),
    # Also the index by which every acceptance looks its recipient up.
    Index(
        "uq_suppression_active",
        "phone",
        "sender_key",
        "account_id",
        "source",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_suppression_created_at_id", text("created_at DESC"), text("id DESC")),
    Index("ix_suppression_phone_created_at", "phone", "created_at"),
    Index("ix_suppression_pass_due_at", "pass_due_at", postgresql_where=text("pass_due_at IS NOT NULL")),
)

inbound_message = Table(
    "inbound_message",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("carrier", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("sender_id", Text, nullable=False),
    Column("text", Text),
    Column("is_opt_out", Boolean, nullable=False),
    Column("received_at", INSTANT, nullable=False),
    Column("stored_at", INSTANT, nullable=False, server_default=NOW),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("next_try_at", INSTANT, server_default=NOW),
    Column("directive", Text),
    PrimaryKeyConstraint("id"),
    _one_of("directive", Directive),
    # A text is kept no longer than it takes to read it.
    CheckConstraint("directive IS NULL OR (text IS NULL AND next_try_at IS NULL)", name="text_gone_once_worked"),
    Index("ix_inbound_message_next_try_at", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
    Index("ix_inbound_message_stored_at", "stored_at"),
)

bind_lease = Table(
    "bind_lease",
    metadata,
    Column("carrier", Text, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("owner", Text),
    Column("lease_until", INSTANT),
    PrimaryKeyConstraint("carrier", "number"),
    CheckConstraint("(owner IS NULL) = (lease_until IS NULL)", name="owned_until"),
)

# Replicas that want binds, those without any included: the fair share depends on how many there are.
bind_seeker = Table(
    "bind_seeker",
    metadata,
    Column("carrier", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("seen_until", INSTANT, nullable=False),
    PrimaryKeyConstraint("carrier", "owner"),
)

# Deleted ones stay, without their secrets, until nothing names them any more.
webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", Uuid, nullable=False),
    # No foreign key: events may be wanted before the account sends for the first time.
    Column("account_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("secret", Text),
    Column("previous_secret", Text),
    Column("previous_secret_until", INSTANT),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("deleted_at", INSTANT),
    Column("disabled_reason", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", INSTANT),
    Column("paused_until", INSTANT),
    Column("owner", Text),
    Column("lease_until", INSTANT),
    PrimaryKeyConstraint("id"),
    CheckConstraint("(deleted_at IS NULL) = (secret IS NOT NULL)", name="secret_gone"),
    CheckConstraint("(previous_secret IS NULL) = (previous_secret_until IS NULL)", name="previous_secret_ends"),
    CheckConstraint("(owner IS NULL) = (lease_until IS NULL)", name="owned_until"),
    Index("ix_webhook_endpoint_account_id", "account_id", "id", postgresql_where=text("deleted_at IS NULL")),
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("endpoint_id", Uuid, ForeignKey("webhook_endpoint.id"), nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=DeliveryState.PENDING.value),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("give_up_at", INSTANT, nullable=False),
    Column("next_try_at", INSTANT, server_default=NOW),
    Column("last_try_at", INSTANT),
    Column("last_status", SmallInteger),
    Column("last_error", Text),
    Column("replays", SmallInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("id"),
    _one_of("event_type", EventType),
    _one_of("state", DeliveryState),
    CheckConstraint("(state = 'pending') = (next_try_at IS NOT NULL)", name="next_try_while_pending"),
    # What makes it harmless to tell an event a second time.
    UniqueConstraint("endpoint_id", "event_id"),
    Index("ix_webhook_delivery_pending", "endpoint_id", "position", postgresql_where=text("state = 'pending'")),
    Index("ix_webhook_delivery_give_up_at", "give_up_at", postgresql_where=text("state = 'pending'")),
    Index("ix_webhook_delivery_endpoint_id_created_at_id", "endpoint_id", text("created_at DESC"), text("id DESC")),
    Index("ix_webhook_delivery_created_at", "created_at"),
    postgresql_with={"fillfactor": 80},
)

# How far readers of all events have come, each with one process at work at a time.
event_reader = Table(
    "event_reader",
    metadata,
    Column("name", Text, nullable=False),
    Column("position", JSONB, nullable=False),
    Column("moved_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("name"),
    postgresql_with={"fillfactor": 50},
)

alert_rule = Table(
    "alert_rule",
    metadata,
    # No foreign key: rules may be set before the account sends for the first time.
    Column("account_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("threshold", MONEY, nullable=False),
    Column("margin", MONEY, nullable=False),
    Column("in_units", Boolean, nullable=False),
    Column("window_s", Integer, nullable=False),
    Column("least_messages", Integer, nullable=False),
    Column("quiet_start", SmallInteger),
    Column("quiet_end", SmallInteger),
    PrimaryKeyConstraint("account_id", "kind"),
    _one_of("kind", AlertKind),
    CheckConstraint("threshold >= 0 AND margin >= 0", name="amounts_not_negative"),
    CheckConstraint("(quiet_start IS NULL) = (quiet_end IS NULL)", name="quiet_whole"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("value", Numeric, nullable=False),
    Column("threshold", MONEY, nullable=False),
    Column("raised_at", INSTANT, nullable=False, server_default=NOW),
    Column("resolved_at", INSTANT),
    Column("acknowledged_at", INSTANT),
    Column("acknowledged_by", Text),
    PrimaryKeyConstraint("id"),
    _one_of("kind", AlertKind),
    CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="acknowledged_whole"),
    # A crossing raises one alert, whoever sees it and however often.
    Index("uq_alert_open", "account_id", "kind", "subject", unique=True, postgresql_where=text("resolved_at IS NULL")),
    Index("ix_alert_account_id_raised_at_id", "account_id", text("raised_at DESC"), text("id DESC")),
)
