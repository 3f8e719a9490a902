"""Reports of what messages cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from messaging_service.reports.domain.cost_report import Basis, CostGroup, CostSums, Grouping, ReportedMessage
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from service_kit.errors import Violation, invalid


class CostRecords(Protocol):
    """Reads messages with their ledger entries; raises ServiceError DATABASE_UNAVAILABLE.

    Periods are half-open, by the creation of messages unless another basis is given; an account of None is all of them.
    """

    def groups(
        self,
        start: datetime,
        end: datetime,
        by: Sequence[Grouping],
        account_id: str | None,
        *,
        basis: Basis = Basis.CREATION,
    ) -> AsyncGenerator[Sequence[CostGroup] | CostSums, None]:
        """The groups of a period in the order of their keys, by pages, and last what all its messages come to."""
        ...

    def messages(
        self, start: datetime, end: datetime, account_id: str | None
    ) -> AsyncGenerator[Sequence[ReportedMessage], None]:
        """The messages of a period, oldest first, by pages."""
        ...


@dataclass(frozen=True, slots=True)
class ReportCosts:
    """The use cases behind ReportCosts and ExportMessages. Memory does not grow with the period."""

    records: CostRecords

    def groups(
        self,
        start: datetime,
        end: datetime,
        by: Sequence[Grouping],
        account_id: str | None,
        *,
        basis: Basis = Basis.CREATION,
    ) -> AsyncGenerator[Sequence[CostGroup] | CostSums, None]:
        """The groups by pages, and the totals last. Raises ServiceError INVALID or DATABASE_UNAVAILABLE."""
        found = period_faults(start, end, account_id)
        if not by:
            found.append(Violation("group_by", reasons.REQUIRED, "is empty; give one or more of CostGrouping"))
        elif len(set(by)) < len(by):
            found.append(Violation("group_by", reasons.REPEATED, "has a grouping more than once; give each once"))
        if found:
            raise invalid(found)
        return self.records.groups(start, end, by, account_id, basis=basis)

    def messages(
        self, start: datetime, end: datetime, account_id: str | None
    ) -> AsyncGenerator[Sequence[ReportedMessage], None]:
        """The messages by pages, oldest first. Raises ServiceError INVALID or DATABASE_UNAVAILABLE."""
        if found := period_faults(start, end, account_id):
            raise invalid(found)
        return self.records.messages(start, end, account_id)


def period_faults(start: datetime, end: datetime, account_id: str | None) -> list[Violation]:
    """What is wrong with the period and account of a report."""
    found: list[Violation] = []
    if end <= start:
        found.append(
            Violation(
                "period_end", reasons.OUT_OF_RANGE, "is not after the start of the period; give the first instant after"
            )
        )
    if account_id is not None and (problem := text_problem(account_id, MAX_IDENTIFIER)):
        found.append(Violation("user_id", reasons.INVALID_IDENTIFIER, problem))
    return found
