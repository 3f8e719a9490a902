"""Where reads go that may be a moment old: to a standby that is near enough, otherwise to the primary.

Only for what decides nothing: lists, exports, statements and reports. Balances, keys, single entries and whatever is
read in order to write stay on the primary.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeVar

import psycopg
from typing_extensions import override

from messaging_service.shared.postgres.migrated import StatementFailedError, migrated
from service_kit import reasons
from service_kit.errors import ServiceError
from service_kit.postgres.database import Connection, Pool, begun, single_statement, transaction
from service_kit.postgres.pipeline import Step
from service_kit.postgres.standby import BehindError, Standby

Answer = TypeVar("Answer")
Page = TypeVar("Page")

_AWAY: Final = frozenset({reasons.DATABASE_UNAVAILABLE, reasons.DATABASE_NOT_READY})


class ReadMeter(Protocol):
    """Counts reads by where they went."""

    def read_standby(self) -> None:
        """A read was answered by the standby."""
        ...

    def read_primary(self) -> None:
        """A read that the standby might have answered went to the primary."""
        ...


class _Uncounted(ReadMeter):
    @override
    def read_standby(self) -> None:
        pass

    @override
    def read_primary(self) -> None:
        pass


UNCOUNTED: Final = _Uncounted()


class LaggingReads:
    """Answers reads from a standby, and from the primary when that cannot be: its failure fails no read.

    A read may be run twice, so it must not write.
    """

    def __init__(
        self,
        primary: Pool,
        standby: Standby | None = None,
        meter: ReadMeter = UNCOUNTED,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`standby`: None where there is none."""
        self._primary = primary
        self._standby = standby
        self._meter = meter
        self._now = now

    async def read(
        self,
        query: Callable[[Connection], Awaitable[Answer]],
        *,
        before: datetime | None = None,
        shows: Callable[[Connection], Awaitable[bool]] | None = None,
    ) -> Answer:
        """What a query finds; each of its statements is a transaction of its own.

        `before`: the query is for what was created before this, in addition to what its caller has seen already, so
        that a standby without the latest would leave a gap; None when it is for the newest. `shows`: whether a server
        has what the answer must agree with.
        """
        standby = self._standby
        if standby is not None and self._is_shown(standby, before):
            try:
                async with migrated(standby.lent()) as connection:
                    await _require(shows, connection)
                    answer = await query(connection)
            except (BehindError, ServiceError, StatementFailedError) as error:
                self._require_standby_failed(standby, error)
            else:
                self._meter.read_standby()
                return answer
        self._count_primary()
        async with migrated(single_statement(self._primary)) as connection:
            return await query(connection)

    async def read_in_transaction(self, query: Callable[[Connection], Awaitable[Answer]], *first: Step) -> Answer:
        """What a query finds in one transaction. `first`: as for `transaction`."""

        async def one(connection: Connection) -> AsyncGenerator[Answer, None]:
            yield await query(connection)

        async with aclosing(self.stream(one, *first)) as answers:
            return await anext(answers)

    async def stream(
        self, pages: Callable[[Connection], AsyncGenerator[Page, None]], *first: Step
    ) -> AsyncGenerator[Page, None]:
        """The pages of a report, all of them in one transaction. `first`: as for `transaction`.

        A standby that fails after the first page fails the report.
        """
        standby, has_begun = self._standby, False
        if standby is not None:
            try:
                async with (
                    migrated(standby.lent()) as connection,
                    begun(connection, *first),
                    aclosing(pages(connection)) as found,
                ):
                    async for page in found:
                        if not has_begun:
                            has_begun = True
                            self._meter.read_standby()
                        yield page
            except (BehindError, ServiceError, StatementFailedError) as error:
                if has_begun:
                    raise
                self._require_standby_failed(standby, error)
            else:
                return
        self._count_primary()
        async with (
            migrated(transaction(self._primary, *first)) as connection,
            aclosing(pages(connection)) as found,
        ):
            async for page in found:
                yield page

    def _is_shown(self, standby: Standby, before: datetime | None) -> bool:
        return before is None or before < self._now() - timedelta(seconds=standby.progress.max_staleness_s)

    def _count_primary(self) -> None:
        if self._standby is not None:
            self._meter.read_primary()

    @staticmethod
    def _require_standby_failed(standby: Standby, error: BehindError | ServiceError | StatementFailedError) -> None:
        """Returns when the primary is to be asked instead; raises the error when it would fail there as well."""
        if isinstance(error, BehindError):
            return
        if isinstance(error, ServiceError) and error.reason not in _AWAY:
            raise error
        if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            # It took too long, and would take the primary as long.
            raise error
        standby.failed()


async def _require(shows: Callable[[Connection], Awaitable[bool]] | None, connection: Connection) -> None:
    if shows is not None and not await shows(connection):
        raise BehindError
