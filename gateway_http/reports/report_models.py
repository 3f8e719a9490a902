"""Cost reports as REST shows them, in JSON and in CSV, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gateway_http.shared.rest_money import number
from service_kit.csv_files.csv_writer import FOR_ALL, CsvLines, CsvStyle
from tukupay.sms.messaging.v1 import reports_pb2

GroupBy = Literal["day", "account", "app", "sender", "level", "carrier", "tag"]

GROUPINGS: Mapping[GroupBy, reports_pb2.CostGrouping.ValueType] = {
    "day": reports_pb2.COST_GROUPING_DAY,
    "account": reports_pb2.COST_GROUPING_ACCOUNT,
    "app": reports_pb2.COST_GROUPING_APP,
    "sender": reports_pb2.COST_GROUPING_SENDER,
    "level": reports_pb2.COST_GROUPING_LEVEL,
    "carrier": reports_pb2.COST_GROUPING_CARRIER,
    "tag": reports_pb2.COST_GROUPING_TAG,
}
BASES: Mapping[str, reports_pb2.CostBasis.ValueType] = {
    "creation": reports_pb2.COST_BASIS_CREATION,
    "booking": reports_pb2.COST_BASIS_BOOKING,
}
_FIELDS: Mapping[GroupBy, str] = {
    "day": "day",
    "account": "userId",
    "app": "appId",
    "sender": "senderId",
    "level": "level",
    "carrier": "carrier",
    "tag": "tag",
}
_LEVELS = {
    "tukupay": "TukuPay",
    "app_owner": "AppOwner",
    "specific_customer": "SpecificCustomer",
    "direct_customer": "DirectCustomer",
}
_SUMS = ("messages", "units", "charged", "refunded", "held")


def _money(description: str) -> Meta:
    return Meta(description=description, extra_json_schema={"type": "number", "examples": [25.5]})


def _key(description: str) -> Meta:
    return Meta(description=description)


_Messages = Annotated[int, Meta(description="How many messages.")]
_Units = Annotated[int, Meta(description="Their units: each message's once, however often it was resent.")]
_Charged = Annotated[Raw, _money("KES that the ledger has as charges of them, all attempts.")]
_Refunded = Annotated[Raw, _money("KES of these that were paid back.")]
_Held = Annotated[Raw, _money("KES reserved for those whose outcome is open.")]


class CostTotals(msgspec.Struct, frozen=True, rename="camel"):
    """What the messages of a period come to, every message once."""

    messages: _Messages
    units: _Units
    charged: _Charged
    refunded: _Refunded
    held: _Held

    @classmethod
    def of(cls, sums: reports_pb2.CostSums) -> CostTotals:
        """The REST form of sums."""
        return cls(
            messages=sums.messages,
            units=sums.units,
            charged=number(sums.charged_micros),
            refunded=number(sums.refunded_micros),
            held=number(sums.held_micros),
        )


class CostReportRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One group. It has a field for each word of `groupBy`; null is the group of those that have none."""

    day: Annotated[str | UnsetType, _key("Day of Nairobi on which the messages were created.")] = UNSET
    user_id: Annotated[str | UnsetType, _key("The account.")] = UNSET
    app_id: Annotated[str | UnsetType | None, _key("The app.")] = UNSET
    sender_id: Annotated[str | UnsetType, _key("The sender.")] = UNSET
    level: Annotated[str | UnsetType, _key("The tier of the price.")] = UNSET
    carrier: Annotated[str | UnsetType | None, _key("The carrier of the present attempt.")] = UNSET
    tag: Annotated[str | UnsetType | None, _key("The tag.")] = UNSET
    messages: _Messages
    units: _Units
    charged: _Charged
    refunded: _Refunded
    held: _Held


class CostReport(msgspec.Struct, frozen=True, rename="camel"):
    """A cost report. It comes piece by piece; one that was cut short is not well-formed JSON."""

    currency: Annotated[Literal["KES"], Meta(description="ISO 4217.")]
    group_by: Annotated[list[GroupBy], Meta(description="As asked for.")]
    rows: Annotated[list[CostReportRow], Meta(description="In the order of their keys, null last.")]
    totals: CostTotals


class JsonReport:
    """Renders a report as the JSON of CostReport."""

    media_type = "application/json"

    def __init__(self, by: Sequence[GroupBy], _style: CsvStyle = FOR_ALL) -> None:
        self._by = by
        self._names = [_FIELDS[grouping] for grouping in by]
        self._separator = b"\n"

    def head(self) -> bytes:
        """What comes before the rows."""
        return b'{"currency":"KES","groupBy":' + msgspec.json.encode(self._by) + b',"rows":['

    def rows(self, groups: Iterable[reports_pb2.CostGroup]) -> bytes:
        """Some rows."""
        text = bytearray()
        for group in groups:
            keys = zip(self._names, _keys(group, self._by), strict=True)
            row = {**dict(keys), **msgspec.structs.asdict(CostTotals.of(group.sums))}
            text += self._separator + msgspec.json.encode(row)
            self._separator = b",\n"
        return bytes(text)

    def end(self, totals: reports_pb2.CostSums) -> bytes:
        """What comes after them."""
        return b'],\n"totals":' + msgspec.json.encode(CostTotals.of(totals)) + b"}\n"


class CsvReport:
    """Renders a report as CSV.

    By tag its last line is the totals, because a message counts in the row of each of its tags; other rows add up to
    them, and a reader who adds a column up should not count them again.
    """

    media_type = "text/csv; charset=utf-8"

    def __init__(self, by: Sequence[GroupBy], style: CsvStyle = FOR_ALL) -> None:
        self._by = by
        self._lines = CsvLines([*(_FIELDS[grouping] for grouping in by), *_SUMS], style, numbers=_SUMS)

    def head(self) -> bytes:
        """The line of names."""
        return self._lines.head().encode()

    def rows(self, groups: Iterable[reports_pb2.CostGroup]) -> bytes:
        """Some lines; an empty cell where messages have no such key."""
        return "".join(self._line(_keys(group, self._by), group.sums) for group in groups).encode()

    def end(self, totals: reports_pb2.CostSums) -> bytes:
        """The totals when groups are by tag, otherwise nothing."""
        if "tag" not in self._by:
            return b""
        return self._line([TOTAL, *[None] * (len(self._by) - 1)], totals).encode()

    def _line(self, keys: Sequence[str | None], sums: reports_pb2.CostSums) -> str:
        figures = CostTotals.of(sums)
        money = (bytes(amount).decode() for amount in (figures.charged, figures.refunded, figures.held))
        return self._lines.line([*keys, figures.messages, figures.units, *money])


TOTAL = "TOTAL"
"""The first cell of the line of totals."""

FORMATS: Mapping[str, type[JsonReport | CsvReport]] = {"json": JsonReport, "csv": CsvReport}


def _keys(group: reports_pb2.CostGroup, by: Sequence[GroupBy]) -> list[str | None]:
    values = [key.value if key.HasField("value") else None for key in group.keys]
    return [
        _LEVELS.get(value, value) if grouping == "level" and value is not None else value
        for value, grouping in zip(values, by, strict=True)
    ]
