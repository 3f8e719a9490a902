"""What is counted of the phones and numbers that accounts send to."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Float,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from messaging_service.abuse.domain.conversion import FeedbackOutcome
from messaging_service.abuse.domain.recipient_windows import Counted
from messaging_service.shared.postgres.columns import INSTANT, MONEY, NOW, metadata, one_of

# When a phone had messages from an account within the last 10 minutes; only where a limit counts all of them.
recipient_window = Table(
    "recipient_window",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("counted", Text, nullable=False),
    # Microseconds since 1970.
    Column("sent_us", ARRAY(BigInteger), nullable=False),
    Column("last_at", INSTANT, nullable=False),
    PrimaryKeyConstraint("account_id", "recipient", "counted"),
    one_of("counted", Counted),
    postgresql_with={"fillfactor": 70},
)

# The numbers of a block that an account sent to within the last 10 minutes: of messages that are watched, and the codes
# that each of them got.
number_block = Table(
    "number_block",
    metadata,
    Column("account_id", Text, nullable=False),
    # A number in E.164 without its last 3 digits.
    Column("block", Text, nullable=False),
    # Of each number the microseconds since 1970, and its last 3 digits behind them.
    Column("seen", ARRAY(BigInteger), nullable=False),
    # The same of each one-time code, where a limit counts them.
    Column("codes", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("last_at", INSTANT, nullable=False),
    # When it last looked pumped, and how it looked then; NULL when it did not.
    Column("suspected_at", INSTANT),
    Column("numbers", Integer),
    Column("longest_run", Integer),
    Column("usual", Float),
    PrimaryKeyConstraint("account_id", "block"),
    Index("ix_number_block_suspected_at", "suspected_at", postgresql_where=text("suspected_at IS NOT NULL")),
    postgresql_with={"fillfactor": 70},
)

# What went to a block in an hour, and what came of it.
number_block_hour = Table(
    "number_block_hour",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("block", Text, nullable=False),
    Column("hour", INSTANT, nullable=False),
    Column("sent", Integer, nullable=False, server_default="0"),
    Column("refused", Integer, nullable=False, server_default="0"),
    Column("verified", Integer, nullable=False, server_default="0"),
    Column("not_verified", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("account_id", "block", "hour"),
    CheckConstraint("sent >= 0 AND refused >= 0 AND verified >= 0 AND not_verified >= 0", name="counts_not_negative"),
    Index("ix_number_block_hour_hour", "hour"),
    postgresql_with={"fillfactor": 70},
)

# What an API key with a limit has used of it; one row for each such key that ever sent.
api_key_usage = Table(
    "api_key_usage",
    metadata,
    Column("key_id", Text, nullable=False),
    Column("spend_day", Date),
    Column("day_spent", MONEY, nullable=False, server_default="0"),
    Column("counted_minute", INSTANT),
    Column("minute_count", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("key_id"),
    postgresql_with={"fillfactor": 50},
)

# What an app said of a message: counted once, and changed when the app changes its mind.
message_feedback = Table(
    "message_feedback",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("given_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("message_id"),
    one_of("outcome", FeedbackOutcome),
    Index("ix_message_feedback_given_at", "given_at"),
)
