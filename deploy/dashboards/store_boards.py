"""What is stored: queue, database, money and prices."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.model import Board, Panel, Query, Row
from deploy.dashboards.queries import highest, lowest, mean, named, quantile, rate, total

QUEUE_AND_DATABASE: Final = Board(
    name="queue-and-database",
    title="queue and database",
    meaning="What waits, how it is written, and what PostgreSQL says.",
    rows=(
        Row(
            "Queue",
            (
                Panel(
                    title="Messages in the queue",
                    meaning="Of all processes, counted up to 10,000.",
                    unit="short",
                    queries=(highest("tukupay_queue_messages", "lane", "state"),),
                    runbook="MessagesWait",
                ),
                Panel(
                    title="Oldest due message",
                    meaning="For how long it should have gone; 0 when none is due.",
                    unit="s",
                    queries=(highest("tukupay_queue_oldest_due_seconds", "lane"),),
                    runbook="MessagesWait",
                    limit=60,
                ),
                Panel(
                    title="Claims",
                    meaning="Messages taken from the queue, and looks at it. Sends that go out at once are not "
                    "among them.",
                    unit="cps",
                    queries=(
                        named(rate("tukupay_claims_total"), "messages"),
                        named(rate("tukupay_claim_looks_total"), "looks"),
                    ),
                ),
                Panel(
                    title="Last count of the queue",
                    meaning="Every 5 s; the panels beside it are as old as this.",
                    unit="s",
                    queries=(lowest("tukupay_queue_look_age_seconds"),),
                    runbook="QueueNotCounted",
                    limit=60,
                ),
            ),
        ),
        Row(
            "Flushes",
            (
                Panel(
                    title="Time of a flush",
                    meaning="95 of 100 are faster: `acceptance` is T1, `settlement` T2, `prices` a question to "
                    "pricing.",
                    unit="s",
                    queries=(quantile(0.95, "tukupay_flush_seconds", "flush"),),
                    runbook="FlushesStandStill",
                ),
                Panel(
                    title="Wait for a flush",
                    meaning="95 of 100 first items waited for less.",
                    unit="s",
                    queries=(quantile(0.95, "tukupay_flush_wait_seconds", "flush"),),
                ),
                Panel(
                    title="Items of a flush",
                    meaning="Their mean, and how many the next one may have: that falls while the database is slow.",
                    unit="short",
                    queries=(
                        mean("tukupay_flush_items", "flush"),
                        named(lowest("tukupay_flush_limit_items", "flush"), "limit {{flush}}"),
                    ),
                ),
            ),
        ),
        Row(
            "What waits for a flush",
            (
                Panel(
                    title="Oldest item",
                    meaning="Age of the oldest item that waits or is being written. Beyond 10 s the process "
                    "takes no calls.",
                    unit="s",
                    queries=(highest("tukupay_flush_oldest_seconds", "instance", "flush"),),
                    runbook="FlushesStandStill",
                    limit=10,
                ),
                Panel(
                    title="Items that wait",
                    meaning="Items that wait for a flush now.",
                    unit="short",
                    queries=(total("tukupay_flush_waiting", "flush"),),
                ),
                Panel(
                    title="Turned away",
                    meaning="Items refused with RESOURCE_EXHAUSTED, and sends answered 429.",
                    unit="cps",
                    queries=(
                        rate("tukupay_flush_turned_away_total", "flush"),
                        named(rate("tukupay_sends_turned_away_total"), "at the gateway"),
                    ),
                    runbook="WorkTurnedAway",
                ),
            ),
        ),
        Row(
            "Connections",
            (
                Panel(
                    title="Pools in use",
                    meaning="Share of the connections that a pool may have which are at work.",
                    unit="percentunit",
                    queries=(
                        Query(
                            "1 - sum by (job, pool) (tukupay_database_pool_idle_connections"
                            " + tukupay_database_pool_max_connections - tukupay_database_pool_connections)"
                            " / sum by (job, pool) (tukupay_database_pool_max_connections)",
                            "{{job}} {{pool}}",
                        ),
                    ),
                    runbook="ConnectionsShort",
                    limit=0.9,
                ),
                Panel(
                    title="Callers that wait",
                    meaning="For a connection, now.",
                    unit="short",
                    queries=(total("tukupay_database_pool_waiting", "job", "pool"),),
                    runbook="ConnectionsShort",
                    limit=1,
                ),
                Panel(
                    title="Wait for a connection",
                    meaning="Mean of all that asked for one.",
                    unit="s",
                    queries=(
                        Query(
                            "sum by (job, pool) (rate(tukupay_database_pool_wait_seconds_total[$__rate_interval]))"
                            " / sum by (job, pool) (rate(tukupay_database_pool_requests_total[$__rate_interval]))",
                            "{{job}} {{pool}}",
                        ),
                        named(rate("tukupay_database_pool_queued_total", "job", "pool"), "queued {{job}} {{pool}}"),
                    ),
                ),
                Panel(
                    title="Connections not had, and lost",
                    meaning="Connections that could not be had in time or at all, and those that broke.",
                    unit="cps",
                    queries=(
                        named(rate("tukupay_database_pool_errors_total", "job", "pool"), "not had: {{job}} {{pool}}"),
                        named(rate("tukupay_database_pool_lost_total", "job", "pool"), "lost: {{job}} {{pool}}"),
                    ),
                    runbook="ConnectionsFail",
                ),
            ),
        ),
        Row(
            "Replica",
            (
                Panel(
                    title="Reads that it may answer",
                    meaning="Lists, statements and reports by the server that answered.",
                    unit="cps",
                    queries=(rate("tukupay_replica_reads_total", "server"),),
                ),
                Panel(
                    title="Staleness",
                    meaning="How old an answer of the replica may be now; none where there is no replica.",
                    unit="s",
                    queries=(highest("tukupay_replica_staleness_seconds", "instance"),),
                ),
            ),
        ),
        Row(
            "PostgreSQL",
            (
                Panel(
                    title="Errors by class of SQLSTATE",
                    meaning="`none`: no answer; 25: read-only; 40: deadlock; 53: no room; 57: shutdown or time "
                    "limit; 58: disk; XX: damage.",
                    unit="cps",
                    queries=(rate("tukupay_database_errors_total", "job", "work", "sqlstate_class"),),
                    runbook="DatabaseFaults",
                ),
                Panel(
                    title="Serving",
                    meaning="Processes that can use their database, and say so.",
                    unit="short",
                    queries=(total("tukupay_serving", "job"),),
                    runbook="ServiceNotServing",
                    low=1,
                ),
                Panel(
                    title="Migrations",
                    meaning="Processes by the migration of their database and the one that they need.",
                    unit="short",
                    queries=(
                        Query(
                            "count by (service, revision, needed) (tukupay_schema_info)",
                            "{{service}} {{revision}}, needs {{needed}}",
                        ),
                    ),
                    runbook="SchemaDiffers",
                    is_stacked=True,
                ),
                Panel(
                    title="Evidence",
                    meaning="Age of the newest moment up to which every row is chained; about 2 s.",
                    unit="s",
                    queries=(highest("tukupay_hash_chain_lag_seconds", "job", "chain"),),
                    runbook="EvidenceNotChained",
                    limit=300,
                ),
                Panel(
                    title="Months of messages",
                    meaning="Partitions after this month, 3 when all is well; and months that are to be removed.",
                    unit="short",
                    queries=(
                        highest("tukupay_partition_horizon_months", "table"),
                        highest("tukupay_months_overdue", "job"),
                    ),
                    runbook="PartitionHorizonShort",
                ),
            ),
        ),
    ),
)

MONEY: Final = Board(
    name="money-and-prices",
    title="money and prices",
    meaning="What sends cost, and how fresh the prices are that they are held at. The ledger is "
    "the record; this is its pulse.",
    rows=(
        Row(
            "Money",
            (
                Panel(
                    title="Settled",
                    meaning="KES a second that attempts and receipts charged, released or refunded. Payments by "
                    "hand are in the ledger only.",
                    unit="currencyKES",
                    queries=(
                        Query(
                            "sum by (billing) (rate(tukupay_settled_micros_total[$__rate_interval])) / 1e6",
                            "{{billing}}",
                        ),
                    ),
                    runbook="BooksDrift",
                ),
                Panel(
                    title="Settled by",
                    meaning="Whether an attempt or a receipt moved the money.",
                    unit="currencyKES",
                    queries=(
                        Query(
                            "sum by (by, billing) (rate(tukupay_settled_micros_total[$__rate_interval])) / 1e6",
                            "{{by}} {{billing}}",
                        ),
                    ),
                ),
                Panel(
                    title="Holds made and ended",
                    meaning="Each accepted message holds its price, each outcome but `not_taken` and `unknown` "
                    "ends a hold. Apart for long, money is held for messages that do not end.",
                    unit="mps",
                    queries=(
                        named(rate("tukupay_accepted_total"), "made"),
                        named(rate("tukupay_outcomes_total", where='kind=~"accepted|refused"'), "ended"),
                    ),
                    runbook="StuckRows",
                ),
            ),
        ),
        Row(
            "Refused for money or price",
            (
                Panel(
                    title="Refused as they were recorded",
                    meaning="Requests by reason: funds, limits, opt-outs.",
                    unit="cps",
                    queries=(rate("tukupay_refused_total", "reason"),),
                ),
                Panel(
                    title="Failed closed",
                    meaning="Sends refused because no price could be had; nothing is charged for them.",
                    unit="cps",
                    queries=(
                        named(rate("tukupay_price_copy_refused_total"), "refused"),
                        named(rate("tukupay_price_copy_failures_total"), "calls without an answer"),
                    ),
                    runbook="SendsFailClosed",
                ),
                Panel(
                    title="Books of money are verified by hand",
                    meaning="Age of the chains of ledger and costs. Whether balances agree with the ledger says "
                    "`accounts verify`.",
                    unit="s",
                    queries=(highest("tukupay_hash_chain_lag_seconds", "chain", where='chain=~"ledger|costs"'),),
                    runbook="BooksDrift",
                ),
            ),
        ),
        Row(
            "The copy of the price book",
            (
                Panel(
                    title="Answers",
                    meaning="Prices given while the copy was fresh, after the watch broke, asked for, and too "
                    "old to be used.",
                    unit="cps",
                    queries=(
                        named(rate("tukupay_price_copy_hits_total"), "fresh"),
                        named(rate("tukupay_price_copy_stale_total"), "stale"),
                        named(rate("tukupay_price_copy_misses_total"), "asked"),
                        named(rate("tukupay_price_copy_outdated_total"), "outdated"),
                    ),
                ),
                Panel(
                    title="Staleness",
                    meaning="Time since the last word of the watch, and how stale a price may be and still be used.",
                    unit="s",
                    queries=(
                        highest("tukupay_price_copy_staleness_seconds", "instance"),
                        named(lowest("tukupay_price_copy_stale_bound_seconds"), "bound"),
                    ),
                    runbook="PricesStale",
                ),
                Panel(
                    title="Fresh",
                    meaning="1 while every process would notice a change of prices.",
                    unit="short",
                    queries=(
                        named(lowest("tukupay_price_copy_fresh"), "fresh"),
                        named(lowest("tukupay_price_copy_watch_open"), "watch open"),
                    ),
                    runbook="PricesStale",
                    low=1,
                ),
                Panel(
                    title="Drift",
                    meaning="Changes of the price book that a copy has not seen; above 0 for long, sends are "
                    "priced by old rows.",
                    unit="short",
                    queries=(
                        Query(
                            "max(tukupay_price_book_epoch) - min(tukupay_price_copy_epoch)", "copies behind the book"
                        ),
                        Query(
                            "max(tukupay_price_book_epoch) - min(tukupay_price_book_epoch)", "books behind each other"
                        ),
                    ),
                    runbook="PricesStale",
                ),
            ),
        ),
        Row(
            "The price book",
            (
                Panel(
                    title="Tiers in memory",
                    meaning="Of those that may be held; beyond that each price is asked of the database.",
                    unit="short",
                    queries=(
                        named(highest("tukupay_price_book_tiers"), "tiers"),
                        named(lowest("tukupay_price_book_capacity_tiers"), "capacity"),
                    ),
                ),
                Panel(
                    title="Looks for changes",
                    meaning="Time since memory was brought up to date, and looks that failed, each of which ends "
                    "the watches.",
                    unit="s",
                    queries=(
                        named(highest("tukupay_price_book_staleness_seconds", "instance"), "staleness {{instance}}"),
                        named(rate("tukupay_price_look_failures_total"), "failures a second"),
                    ),
                ),
                Panel(
                    title="Watches of prices",
                    meaning="One for each process of messaging; `breaks` end one.",
                    unit="short",
                    queries=(
                        named(total("tukupay_price_watchers"), "open"),
                        named(rate("tukupay_price_copy_breaks_total"), "breaks a second"),
                        named(rate("tukupay_price_copy_resets_total"), "resets a second"),
                    ),
                ),
            ),
        ),
    ),
)
