"""Who calls, and the processes that answer."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.model import Board, Panel, Query, Row
from deploy.dashboards.queries import highest, lowest, named, quantile, rate, total

_OURS: Final = 'job=~".*tukupay.*"'

ACCESS: Final = Board(
    name="access-and-abuse",
    title="access and abuse",
    meaning="Who is refused and why, limits, keys, opt-outs, and texts under keys.",
    rows=(
        Row(
            "Credentials",
            (
                Panel(
                    title="Refused at the gateway",
                    meaning="Requests by what was wrong with their credential. `invalid` in numbers: keys are "
                    "guessed, or one ended.",
                    unit="reqps",
                    queries=(rate("tukupay_http_credentials_refused_total", "cause"),),
                    runbook="CredentialsRefused",
                ),
                Panel(
                    title="Refused between services",
                    meaning="Calls over gRPC that were refused for who made them.",
                    unit="reqps",
                    queries=(rate("tukupay_access_refused_total", "job", "cause"),),
                ),
                Panel(
                    title="Refused by limits and rules",
                    meaning="Requests to send by reason: limits of accounts and keys, one-time codes, pumped "
                    "numbers, opt-outs.",
                    unit="cps",
                    queries=(rate("tukupay_refused_total", "reason"),),
                ),
            ),
        ),
        Row(
            "Keys",
            (
                Panel(
                    title="Keys at hand",
                    meaning="Share of the requests whose key messaging need not be asked about.",
                    unit="percentunit",
                    queries=(
                        Query(
                            "sum(rate(tukupay_key_cache_hits_total[$__rate_interval]))"
                            " / (sum(rate(tukupay_key_cache_hits_total[$__rate_interval]))"
                            " + sum(rate(tukupay_key_cache_misses_total[$__rate_interval])))",
                            "hits",
                        ),
                    ),
                ),
                Panel(
                    title="Keys that are kept",
                    meaning="Keys whose answers gateways keep, up to 10,000 of each kind.",
                    unit="short",
                    queries=(total("tukupay_key_cache_keys", "state"),),
                ),
                Panel(
                    title="News of keys",
                    meaning="Time since a gateway heard which keys changed: about 1 s. Without access control "
                    "there is none.",
                    unit="s",
                    queries=(highest("tukupay_key_cache_staleness_seconds", "instance"),),
                    runbook="KeyNewsLate",
                    limit=10,
                ),
                Panel(
                    title="Watches",
                    meaning="Watches of keys, one for each gateway, and of entries and accounts.",
                    unit="short",
                    queries=(
                        named(total("tukupay_key_watches"), "keys"),
                        named(total("tukupay_outbox_watches"), "entries and accounts"),
                    ),
                ),
            ),
        ),
        Row(
            "Opt-outs and privacy",
            (
                Panel(
                    title="Opt-outs",
                    meaning="Phones that asked for no more messages, or for messages again, and messages "
                    "cancelled by that.",
                    unit="cps",
                    queries=(
                        rate("tukupay_opt_out_words_total", "directive"),
                        named(rate("tukupay_opt_out_cancelled_total"), "cancelled"),
                    ),
                ),
                Panel(
                    title="Retention of texts",
                    meaning="Texts that were erased and data keys that were destroyed, a second.",
                    unit="cps",
                    queries=(
                        named(rate("tukupay_privacy_erased_texts_total"), "texts"),
                        named(rate("tukupay_privacy_destroyed_keys_total"), "keys"),
                    ),
                ),
                Panel(
                    title="Conversion to keys",
                    meaning="Rows put under keys a second, and 1 once every row of a table was looked at.",
                    unit="short",
                    queries=(
                        named(rate("tukupay_privacy_converted_rows_total", "table"), "rows of {{table}}"),
                        named(lowest("tukupay_privacy_conversion_caught_up", "table"), "{{table}} is done"),
                    ),
                ),
            ),
        ),
    ),
)

PROCESSES: Final = Board(
    name="processes",
    title="processes",
    meaning="Processor, memory, event loops, calls and releases of every process.",
    rows=(
        Row(
            "Resources",
            (
                Panel(
                    title="Processor",
                    meaning="Seconds of processor a second. At 1 a process has no more to give: its loop is one "
                    "thread.",
                    unit="short",
                    queries=(rate("process_cpu_seconds_total", "job", "instance", where=_OURS),),
                    runbook="EventLoopLags",
                    limit=1,
                ),
                Panel(
                    title="Memory",
                    meaning="Resident memory.",
                    unit="bytes",
                    queries=(highest("process_resident_memory_bytes", "job", "instance", where=_OURS),),
                ),
                Panel(
                    title="File descriptors",
                    meaning="Share of those that the process may open.",
                    unit="percentunit",
                    queries=(
                        Query(
                            f"max by (job, instance) (process_open_fds{{{_OURS}}} / process_max_fds{{{_OURS}}})",
                            "{{job}} {{instance}}",
                        ),
                    ),
                    limit=0.8,
                ),
            ),
        ),
        Row(
            "Event loops",
            (
                Panel(
                    title="Lag, p99",
                    meaning="How late timers are called; everything that the process does waits for as long.",
                    unit="s",
                    queries=(quantile(0.99, "tukupay_event_loop_lag_seconds", "job", "instance"),),
                    runbook="EventLoopLags",
                    limit=0.25,
                ),
                Panel(
                    title="Up for",
                    meaning="Time since the start of each process.",
                    unit="s",
                    queries=(
                        Query(
                            f"time() - max by (job, instance) (process_start_time_seconds{{{_OURS}}})",
                            "{{job}} {{instance}}",
                        ),
                    ),
                    runbook="ServiceGone",
                ),
                Panel(
                    title="Garbage collections",
                    meaning="Of the oldest generation, a second.",
                    unit="cps",
                    queries=(rate("python_gc_collections_total", "job", where=f'generation="2",{_OURS}'),),
                ),
            ),
        ),
        Row(
            "Calls",
            (
                Panel(
                    title="gRPC calls that failed",
                    meaning="Calls to services that ended otherwise than OK.",
                    unit="reqps",
                    queries=(rate("tukupay_grpc_server_calls_total", "job", "method", "code", where='code!="OK"'),),
                ),
                Panel(
                    title="gRPC calls, p99",
                    meaning="From the beginning of a call to its end, by method.",
                    unit="s",
                    queries=(quantile(0.99, "tukupay_grpc_server_call_seconds", "method"),),
                    has_exemplars=True,
                ),
                Panel(
                    title="Calls to other services that failed",
                    meaning="As their callers saw them; a service that cannot be reached shows here only.",
                    unit="reqps",
                    queries=(rate("tukupay_grpc_client_calls_total", "job", "method", "code", where='code!="OK"'),),
                ),
                Panel(
                    title="HTTP requests, p99",
                    meaning="By documented route.",
                    unit="s",
                    queries=(quantile(0.99, "tukupay_http_request_seconds", "route"),),
                    has_exemplars=True,
                ),
            ),
        ),
        Row(
            "Releases and certificates",
            (
                Panel(
                    title="Releases",
                    meaning="Processes by service and release. Two of one service for long: a rollout stands still.",
                    unit="short",
                    queries=(Query("count by (service, version) (tukupay_build_info)", "{{service}} {{version}}"),),
                    runbook="ReleasesDiffer",
                    is_stacked=True,
                ),
                Panel(
                    title="Certificates",
                    meaning="Time until the certificate in use ends; none without TLS.",
                    unit="s",
                    queries=(
                        Query(
                            "min by (job, use) (tukupay_tls_certificate_expiry_timestamp_seconds) - time()",
                            "{{job}} {{use}}",
                        ),
                    ),
                    runbook="CertificateEnds",
                    low=7 * 86_400,
                ),
                Panel(
                    title="Traces",
                    meaning="Spans that the receiver took, spans that are lost, and requests too many to be traced.",
                    unit="cps",
                    queries=(
                        named(rate("tukupay_trace_spans_exported_total"), "exported"),
                        named(rate("tukupay_trace_spans_dropped_total", "cause"), "dropped: {{cause}}"),
                        named(rate("tukupay_trace_requests_limited_total"), "requests limited"),
                    ),
                ),
                Panel(
                    title="Processes of channels",
                    meaning="Processes that run for channels, and those that were ended as they gave no answer.",
                    unit="short",
                    queries=(
                        named(total("tukupay_channel_processes"), "running"),
                        named(rate("tukupay_channel_processes_started_total"), "started a second"),
                        named(rate("tukupay_channel_processes_failed_total"), "failed a second"),
                    ),
                ),
            ),
        ),
    ),
)
