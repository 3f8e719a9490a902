"""Queries that many panels have, each in one line. They sum over processes, so that a restart shows as nothing else."""

from __future__ import annotations

from deploy.dashboards.model import Query

_WINDOW = "$__rate_interval"


def rate(metric: str, *by: str, where: str = "") -> Query:
    """What a counter rises by a second."""
    return Query(f"{_by('sum', by)}(rate({metric}{_matching(where)}[{_WINDOW}]))", _legend(by))


def quantile(share: float, histogram: str, *by: str, where: str = "") -> Query:
    """The value that a share of what was measured stays below."""
    buckets = f"sum by ({', '.join([*by, 'le'])}) (rate({histogram}_bucket{_matching(where)}[{_WINDOW}]))"
    return Query(f"histogram_quantile({share}, {buckets})", f"p{share * 100:g} {_legend(by)}".strip())


def mean(histogram: str, *by: str, where: str = "") -> Query:
    """The mean of what was measured."""
    matching = _matching(where)
    total, count = (f"{_by('sum', by)}(rate({histogram}_{part}{matching}[{_WINDOW}]))" for part in ("sum", "count"))
    return Query(f"{total} / {count}", f"mean {_legend(by)}".strip())


def highest(gauge: str, *by: str, where: str = "") -> Query:
    """The greatest of all processes: for what each counts in the database, and for ages."""
    return Query(f"{_by('max', by)}({gauge}{_matching(where)})", _legend(by))


def lowest(gauge: str, *by: str, where: str = "") -> Query:
    """The least of all processes."""
    return Query(f"{_by('min', by)}({gauge}{_matching(where)})", _legend(by))


def total(gauge: str, *by: str, where: str = "") -> Query:
    """The sum over all processes."""
    return Query(f"{_by('sum', by)}({gauge}{_matching(where)})", _legend(by))


def named(query: Query, legend: str) -> Query:
    """The same query under another name."""
    return Query(query.expression, legend)


def _by(operator: str, by: tuple[str, ...]) -> str:
    return f"{operator} by ({', '.join(by)}) " if by else operator


def _matching(where: str) -> str:
    return f"{{{where}}}" if where else ""


def _legend(by: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by)
