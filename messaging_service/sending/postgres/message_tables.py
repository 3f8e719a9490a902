"""Messages, what became of them, and the keys by which they are known again."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.shared.domain.encoding import Encoding
from messaging_service.shared.domain.money import PriceLevel
from messaging_service.shared.domain.states import BILLINGS_OF, Billing, Priority, State
from messaging_service.shared.postgres.columns import (
    INSTANT,
    MONEY,
    NOW,
    TransactionId,
    metadata,
    one_of,
)
from messaging_service.shared.postgres.sql_words import quoted
from service_kit.access.principal import AccessMode


def _billing_of_state() -> str:
    """The condition that BILLINGS_OF is: the states with the same billings go together."""
    states_of: dict[frozenset[Billing], list[State]] = {}
    for state, billings in BILLINGS_OF.items():
        states_of.setdefault(billings, []).append(state)
    return " AND ".join(
        f"(state NOT IN ({quoted(states)}) OR billing IN ({quoted(sorted(billings))}))"
        for billings, states in states_of.items()
    )


message = Table(
    "message",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("account_id", Text, ForeignKey("account.id"), nullable=False),
    Column("client_message_id", Text, nullable=False),
    Column("app_id", Text),
    Column("recipient", Text, nullable=False),
    # In plain, or NULL where `content` has it, or neither does any more.
    Column("text", Text),
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
    # Text, custom data and recipient under the key of their account and month. Set at acceptance, or when older rows
    # are converted; NULL where nothing is sealed, and once it is erased.
    Column("content", LargeBinary),
    # Of the recipient, under a key: finds the messages of a phone. NULL where nothing is sealed, and once it is erased.
    Column("recipient_index", LargeBinary),
    Column("mode", Text, nullable=False, server_default="live"),
    PrimaryKeyConstraint("id"),
    one_of("price_level", PriceLevel),
    one_of("mode", AccessMode),
    CheckConstraint("mode = 'live' OR total = 0", name="test_is_free"),
    one_of("priority", Priority),
    one_of("encoding", Encoding),
    one_of("state", State),
    one_of("billing", Billing),
    CheckConstraint(_billing_of_state(), name="billing_of_state"),
    CheckConstraint("units > 0", name="units_positive"),
    CheckConstraint("total = units * unit_price", name="total_exact"),
    CheckConstraint("content IS NULL OR (text IS NULL AND custom_data IS NULL)", name="content_once"),
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
    Index("ix_message_recipient_index", "recipient_index", postgresql_where=text("recipient_index IS NOT NULL")),
    # No index names a column that a transition changes, and each page of a month keeps room for a second version of its
    # rows (fillfactor 60): so updates stay in place and touch no index.
    postgresql_partition_by="RANGE (id)",
)

# No foreign key leads from queue rows, events, parts, keys and ledger entries to the message: they are written beside
# it in the same statement, and a month is deleted as a whole once nothing waits in it, while each check would cost a
# lookup in every month on every transition.
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
    # Of a sampled message: the id of its trace, 16 octets, and of the span that wrote the event, 8. NULL for any other.
    Column("trace_id", LargeBinary),
    PrimaryKeyConstraint("message_id", "id"),
    # Always inserted at its right end, where whole batches share one key.
    Index("ix_message_event_xact", "xact"),
    # Numbers rise nearly as rows lie: the chain over the events finds its next rows by a few bytes for every 32 pages.
    Index(
        "ix_message_event_id",
        "id",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    ),
    postgresql_partition_by="RANGE (message_id)",
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
    one_of("state", ReceiptState),
    Index("ix_message_part_carrier_canonical_id", "carrier", "canonical_id"),
    # Months have a fillfactor of 85.
    postgresql_partition_by="RANGE (message_id)",
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
