"""What goes through the system: sends, carriers, and what accounts are notified of."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.model import Board, Panel, Query, Row
from deploy.dashboards.queries import highest, lowest, mean, named, quantile, rate, total

_SENDS: Final = 'route="/api/sms/send"'

OVERVIEW: Final = Board(
    name="overview",
    title="overview",
    meaning="Whether sends are accepted and reach carriers in time, and what keeps them from it.",
    rows=(
        Row(
            "Objectives",
            (
                Panel(
                    title="Sends answered, last hour",
                    meaning="Share of the requests to send that were answered other than by 5xx. The objective "
                    "is 99.9%.",
                    unit="percentunit",
                    queries=(Query("1 - tukupay:send_errors:ratio_rate1h", ""),),
                    runbook="SendErrorsBurnFast",
                    low=0.999,
                    kind="number",
                ),
                Panel(
                    title="Error budget burn, 3 days",
                    meaning="1 uses the budget of 30 days up in 30 days; more does not last.",
                    unit="short",
                    queries=(Query("tukupay:send_errors:ratio_rate3d / 0.001", ""),),
                    runbook="SendErrorsBurnSlowly",
                    limit=1,
                    kind="number",
                ),
                Panel(
                    title="With a carrier in 2 s, last hour",
                    meaning="Share of the messages of the high lane. The objective is 99%.",
                    unit="percentunit",
                    queries=(Query("1 - tukupay:late_sends:ratio_rate1h", ""),),
                    runbook="LateSendsBurnFast",
                    low=0.99,
                    kind="number",
                ),
                Panel(
                    title="Late budget burn, 3 days",
                    meaning="1 uses the budget of 30 days up in 30 days; more does not last.",
                    unit="short",
                    queries=(Query("tukupay:late_sends:ratio_rate3d / 0.01", ""),),
                    runbook="LateSendsBurnSlowly",
                    limit=1,
                    kind="number",
                ),
                Panel(
                    title="Processes that serve",
                    meaning="Processes of messaging and pricing that take calls.",
                    unit="short",
                    queries=(total("tukupay_serving", "job"),),
                    runbook="ServiceNotServing",
                    low=1,
                    kind="number",
                ),
                Panel(
                    title="Carriers up",
                    meaning="Carriers that at least one process reaches.",
                    unit="short",
                    queries=(Query("sum(max by (carrier) (tukupay_carrier_up))", ""),),
                    runbook="CarrierDown",
                    low=1,
                    kind="number",
                ),
            ),
        ),
        Row(
            "Sends",
            (
                Panel(
                    title="Requests to send",
                    meaning="Answers a second by class of status. 4xx is the caller's, 5xx ours.",
                    unit="reqps",
                    queries=(rate("tukupay_http_requests_total", "status_class", where=_SENDS),),
                    runbook="AnswersFail",
                    is_stacked=True,
                ),
                Panel(
                    title="Outcomes",
                    meaning="Attempts that ended, by what the carrier said.",
                    unit="mps",
                    queries=(rate("tukupay_outcomes_total", "kind"),),
                    runbook="OutcomesUnknown",
                    is_stacked=True,
                ),
                Panel(
                    title="Messages",
                    meaning="Put on record, answered from the record, and refused, a second.",
                    unit="mps",
                    queries=(
                        named(rate("tukupay_accepted_total"), "accepted"),
                        named(rate("tukupay_replayed_total"), "replayed"),
                        named(rate("tukupay_refused_total"), "refused"),
                    ),
                ),
            ),
        ),
        Row(
            "Latency",
            (
                Panel(
                    title="A request to send",
                    meaning="From the head of the request to the end of its answer; a send waits for its carrier.",
                    unit="s",
                    queries=tuple(
                        quantile(share, "tukupay_http_request_seconds", where=_SENDS) for share in (0.5, 0.95, 0.99)
                    ),
                    has_exemplars=True,
                ),
                Panel(
                    title="From acceptance to the carrier",
                    meaning="99 of 100 messages are faster, by lane. The objective of the high lane is 2 s.",
                    unit="s",
                    queries=(quantile(0.99, "tukupay_accept_to_carrier_seconds", "lane"),),
                    runbook="LateSendsBurnFast",
                    limit=2,
                    has_exemplars=True,
                ),
                Panel(
                    title="Batches of the gateway",
                    meaning="Sends that travel together, and the sends that wait for a batch or its answer.",
                    unit="short",
                    queries=(
                        mean("tukupay_send_batch_items"),
                        named(total("tukupay_sends_outstanding"), "outstanding"),
                    ),
                ),
            ),
        ),
        Row(
            "Errors",
            (
                Panel(
                    title="Refusals",
                    meaning="Refused calls, items and price questions by reason; what they mean is in the guide "
                    "on error codes.",
                    unit="reqps",
                    queries=(rate("tukupay_refusals_total", "event", "reason"),),
                ),
                Panel(
                    title="Failures in logs",
                    meaning="Warnings, errors and critical lines a second. Errors are always worth a look.",
                    unit="cps",
                    queries=(rate("tukupay_log_lines_total", "job", "level"),),
                    runbook="FailuresUnnamed",
                ),
                Panel(
                    title="Duties that fail",
                    meaning="Passes of background duties that failed; each is tried again.",
                    unit="cps",
                    queries=(rate("tukupay_duty_failures_total", "job", "duty"),),
                    runbook="DutyFails",
                ),
            ),
        ),
    ),
)

CARRIERS: Final = Board(
    name="carriers",
    title="carriers",
    meaning="How each carrier takes messages, and what it reports of them.",
    rows=(
        Row(
            "Binds and window",
            (
                Panel(
                    title="Up",
                    meaning="1 while at least one process can hand messages to the carrier.",
                    unit="short",
                    queries=(highest("tukupay_carrier_up", "carrier"),),
                    runbook="CarrierDown",
                    low=1,
                ),
                Panel(
                    title="Binds",
                    meaning="Binds of all processes by what they are doing; `unleased` ones are left to other "
                    "processes.",
                    unit="short",
                    queries=(total("tukupay_carrier_binds", "carrier", "state"),),
                    runbook="CarrierDown",
                ),
                Panel(
                    title="Window and use",
                    meaning="Submits that may be in flight, and those that are. At its window a carrier is the "
                    "bottleneck.",
                    unit="short",
                    queries=(
                        named(total("tukupay_carrier_window", "carrier"), "{{carrier}} window"),
                        named(total("tukupay_carrier_in_use", "carrier"), "{{carrier}} in use"),
                    ),
                    runbook="MessagesWait",
                ),
            ),
        ),
        Row(
            "Throttling",
            (
                Panel(
                    title="Throttled binds",
                    meaning="Binds on which the carrier asked for a slower pace.",
                    unit="short",
                    queries=(total("tukupay_carrier_throttled_binds", "carrier"),),
                ),
                Panel(
                    title="Breaker open",
                    meaning="1 while the carrier is left alone, or tried with single messages, as it failed too often.",
                    unit="short",
                    queries=(
                        highest("tukupay_carrier_breaker_open", "carrier"),
                        named(rate("tukupay_carrier_breaker_opened_total", "carrier"), "{{carrier}} opened a second"),
                    ),
                    runbook="CarrierLeftAlone",
                    limit=1,
                ),
                Panel(
                    title="Mode",
                    meaning="What operators want: running, paused or drained.",
                    unit="short",
                    queries=(highest("tukupay_carrier_mode", "carrier", "mode", where='mode!="running"'),),
                ),
                Panel(
                    title="Our balance",
                    meaning="What our own account at the carrier held when it was last looked at, where it says.",
                    unit="currencyKES",
                    queries=(lowest("tukupay_carrier_balance_kes", "carrier"),),
                ),
            ),
        ),
        Row(
            "Outcomes",
            (
                Panel(
                    title="Outcomes by carrier",
                    meaning="Attempts that ended; `not_taken` is tried again, `unknown` waits for a receipt.",
                    unit="mps",
                    queries=(rate("tukupay_outcomes_total", "carrier", "kind"),),
                    runbook="OutcomesUnknown",
                    is_stacked=True,
                ),
                Panel(
                    title="Codes of failures",
                    meaning="Codes as in `errorCode` of entries.",
                    unit="mps",
                    queries=(rate("tukupay_outcomes_total", "carrier", "code", where='kind!="accepted"'),),
                ),
                Panel(
                    title="Late outcomes and leases",
                    meaning="Answers after their submits were called unknown, and messages that the sweep moved.",
                    unit="mps",
                    queries=(
                        named(rate("tukupay_late_outcomes_total", "result"), "late: {{result}}"),
                        named(rate("tukupay_swept_total", "to"), "swept to {{to}}"),
                        named(rate("tukupay_outcomes_superseded_total"), "superseded"),
                    ),
                    runbook="UnknownPileUp",
                ),
            ),
        ),
        Row(
            "Receipts",
            (
                Panel(
                    title="Receipts by state",
                    meaning="Receipts taken from carriers. `unknown` decides nothing.",
                    unit="cps",
                    queries=(rate("tukupay_receipts_stored_total", "carrier", "state"),),
                    runbook="ReceiptsDecideNothing",
                    is_stacked=True,
                ),
                Panel(
                    title="Receipts matched",
                    meaning="Receipts looked at, and those that found their message.",
                    unit="cps",
                    queries=(
                        named(rate("tukupay_receipts_looked_at_total"), "looked at"),
                        named(rate("tukupay_receipts_matched_total"), "matched"),
                    ),
                ),
                Panel(
                    title="Receipts that wait",
                    meaning="Receipts in the inbox, counted up to 10,000. `orphaned` ones found no message.",
                    unit="short",
                    queries=(highest("tukupay_receipts_waiting", "state"),),
                ),
            ),
        ),
    ),
)

NOTICES: Final = Board(
    name="notices",
    title="notices",
    meaning="Webhooks, channels and alerts of accounts.",
    rows=(
        Row(
            "Webhooks",
            (
                Panel(
                    title="Posts",
                    meaning="Posts to webhooks by outcome; `TAKEN` is well.",
                    unit="cps",
                    queries=(rate("tukupay_webhook_tries_total", "outcome"),),
                    runbook="PostsFail",
                    is_stacked=True,
                ),
                Panel(
                    title="Events in time",
                    meaning="Age of the oldest event that no process has read for webhooks, and of the oldest "
                    "post that is due.",
                    unit="s",
                    queries=(
                        named(highest("tukupay_webhook_telling_lag_seconds"), "read"),
                        named(highest("tukupay_webhook_oldest_due_seconds"), "due"),
                    ),
                    runbook="WebhooksNotifiedLate",
                    limit=60,
                ),
                Panel(
                    title="Deliveries that wait",
                    meaning="Counted up to 10,000; `held` ones wait for their next try.",
                    unit="short",
                    queries=(highest("tukupay_webhook_deliveries_waiting", "state"),),
                    runbook="PostsWait",
                ),
                Panel(
                    title="Given up and disabled",
                    meaning="Deliveries that ended without being taken, and endpoints that answered 410.",
                    unit="cps",
                    queries=(
                        named(rate("tukupay_webhook_given_up_total"), "given up"),
                        named(rate("tukupay_webhook_disabled_total"), "webhooks disabled"),
                        named(rate("tukupay_channel_disabled_total"), "channels disabled"),
                    ),
                    runbook="EventsGivenUp",
                ),
            ),
        ),
        Row(
            "Channels and alerts",
            (
                Panel(
                    title="Texts to channels",
                    meaning="Texts by outcome; `TAKEN` is well.",
                    unit="cps",
                    queries=(rate("tukupay_channel_texts_total", "kind", "outcome"),),
                    runbook="TextsFail",
                ),
                Panel(
                    title="Alerts that are open",
                    meaning="Of accounts, by kind, up to 10,000.",
                    unit="short",
                    queries=(highest("tukupay_alerts_open", "kind"),),
                ),
                Panel(
                    title="Last looks",
                    meaning="Time since the alert rules of accounts were evaluated, and since deliveries were counted.",
                    unit="s",
                    queries=(
                        named(lowest("tukupay_alert_look_age_seconds"), "alert rules"),
                        named(lowest("tukupay_webhook_look_age_seconds"), "deliveries"),
                    ),
                    runbook="AlertsNotEvaluated",
                    limit=60,
                ),
            ),
        ),
    ),
)
