"""Files of prices: what is read, what is refused, and what a file says about itself."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.csv_files.csv_writer import CsvStyle
from service_kit.grpc.timestamps import to_timestamp
from service_kit.identifiers import identifier_problem
from sms_cli.costs.cost_files import COLUMNS, CostFileError, FileRow, cost_writer, file_key, read_costs
from sms_cli.costs.cost_import import Change, ImportOptions
from sms_cli.shared.kes_amounts import micros
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

HEADER = "level,customerId,appId,pricePerSms,effectiveFrom,reason"
AMINA = "SpecificCustomer,amina,,0.6,2026-01-01T00:00:00Z,agreed"


def read(*lines: str, allow_free: bool = False, need_reason: bool = True) -> list[FileRow]:
    return read_costs("\n".join((HEADER, *lines)) + "\n", allow_free=allow_free, need_reason=need_reason)


def problems(*lines: str) -> list[str]:
    with pytest.raises(CostFileError) as caught:
        read(*lines)
    return [str(problem) for problem in caught.value.problems]


def test_a_line_is_a_price() -> None:
    assert read(AMINA) == [
        FileRow(
            2,
            pb.COST_LEVEL_SPECIFIC_CUSTOMER,
            "amina",
            None,
            Decimal("0.6"),
            datetime(2026, 1, 1, tzinfo=UTC),
            "agreed",
            None,
        )
    ]


def test_columns_may_come_in_any_order_and_name_who_set_the_price() -> None:
    header = "createdBy,reason,effectiveFrom,pricePerSms,appId,customerId,level"
    (row,) = read_costs(f"\ufeff{header}\r\njuma,,2026-01-01T03:00:00+03:00,1,shop,,appowner\r\n")
    assert (row.level, row.app, row.author, row.reason) == (pb.COST_LEVEL_APP_OWNER, "shop", "juma", None)
    assert row.effective_from == datetime(2026, 1, 1, tzinfo=UTC)


def test_empty_lines_count_and_are_passed_over() -> None:
    assert [row.line for row in read("", AMINA, ",,,,,", AMINA.replace("amina", "juma"))] == [3, 5]


def test_a_value_in_quotes_may_go_over_lines_and_the_count_goes_on() -> None:
    rows = read(AMINA.replace("agreed", '"agreed,\non paper"'), AMINA.replace("amina", "juma"))
    assert [(row.line, row.reason) for row in rows] == [(2, "agreed,\non paper"), (4, "agreed")]


def test_every_line_at_fault_is_named_with_everything_that_is_wrong() -> None:
    assert problems(
        "VIP,,,0.6,2026-01-01T00:00:00Z,",
        AMINA,
        "SpecificCustomer,,,cheap,2026-01-01,",
        "DirectCustomer,amina,,0.6,2026-01-01T00:00:00Z,",
        "AppOwner,,shop,0.0000001,,",
        "TukuPay,,,0,2026-01-01T00:00:00Z,default",
        AMINA.replace("0.6", "0.7"),
        "TukuPay,,,1,2026-02-01T00:00:00Z,default,extra",
    ) == [
        "line 2: level 'VIP' is not a level; the levels are TukuPay, AppOwner, SpecificCustomer, DirectCustomer",
        "line 4: pricePerSms 'cheap' is not an amount in KES, for instance 0.6",
        "line 4: effectiveFrom '2026-01-01' has no offset from UTC; write 2026-01-01T00:00:00Z, or end it with "
        "+03:00 for Nairobi",
        "line 4: customerId is required for SpecificCustomer",
        "line 4: reason is required for SpecificCustomer: say why this price is set",
        "line 5: customerId does not belong to DirectCustomer; leave it empty",
        "line 6: pricePerSms 1E-7 has more than 6 decimal places",
        "line 6: effectiveFrom is empty",
        "line 7: pricePerSms is 0; if free of charge is meant, add --allow-free",
        "line 8: repeats the level, entity and effectiveFrom of line 3; leave one of them out",
        "line 9: has 7 values for 6 columns; put quotes around values with commas",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (AMINA.replace("amina", "a" * 65), "customerId has 65 characters"),
        (AMINA.replace("amina", "amina "), "begins or ends with a space"),
        (AMINA.replace("amina", "a\tb"), "control character"),
        (AMINA.replace("agreed", "x" * 501), "reason has 501 characters"),
        (AMINA.replace("0.6", "1000000.1"), "prices lie between 0 and 1,000,000 KES"),
        (AMINA.replace("0.6", "-1"), "prices lie between"),
        (AMINA.replace("agreed", '"agreed'), "is not CSV: a quote is never closed"),
    ],
)
def test_a_value_that_cannot_be_is_refused(line: str, problem: str) -> None:
    (found,) = problems(line)
    assert found.startswith("line 2: ")
    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the column level is missing"),
        ("level,customerId,appId,pricePerSms,effectiveFrom\n", "the column reason is missing"),
        (f"{HEADER},colour\n", "'colour' is no column"),
        (f"{HEADER},reason\n", "the column reason is there twice"),
        (f"{HEADER}\n", "there is no price below the header"),
    ],
)
def test_a_header_that_is_none_is_refused(text: str, problem: str) -> None:
    with pytest.raises(CostFileError, match=problem) as caught:
        read_costs(text)
    assert [found.line for found in caught.value.problems] == [1]


def test_of_very_many_problems_the_first_are_told_and_how_many_more_there_are() -> None:
    with pytest.raises(CostFileError) as caught:
        read(*["VIP,,,1,2026-01-01T00:00:00Z,"] * 2_000)
    lines = str(caught.value).splitlines()
    assert (len(caught.value.problems), len(lines)) == (2_000, 101)
    assert (lines[99].strip()[:9], lines[100].strip()) == ("line 101:", "and 1,900 more")


@pytest.mark.parametrize(
    "text",
    [
        HEADER.replace(",", ";") + "\nSpecificCustomer;amina;;0.6;2026-01-01T00:00:00Z;agreed\n",
        HEADER.replace(",", "\t") + "\nSpecificCustomer\tamina\t\t0.6\t2026-01-01T00:00:00Z\tagreed\n",
        f"sep=,\n{HEADER.replace('customerId', 'CustomerID')},\n{AMINA.replace('0.6', 'KES 0.6000')},\n",
        f"{HEADER}\nSpecificCustomer,amina,,kes0.6,2026-01-01T00:00:00Z,agreed\n",
    ],
)
def test_a_file_that_a_spreadsheet_or_a_carrier_made_is_read_as_it_comes(text: str) -> None:
    (row,) = read_costs(text)
    assert (row.customer, row.price, row.reason) == ("amina", Decimal("0.6"), "agreed")


def test_a_decimal_comma_is_named_and_not_read() -> None:
    (found,) = problems(AMINA.replace("0.6", '"0,65"'))
    assert found == "line 2: pricePerSms '0,65' has a decimal comma; write it with a point, as in 0.65"


def test_free_prices_and_missing_reasons_are_for_those_who_ask() -> None:
    line = "TukuPay,,,0,2026-01-01T00:00:00Z,"
    assert read(line, allow_free=True, need_reason=False)[0].price == 0
    assert len(problems(line)) == 2


def test_a_file_has_one_name_and_another_file_or_option_another() -> None:
    keys = {file_key("a", 1), file_key("a", 2), file_key("b", 1), file_key("a\0", 1)}
    assert len(keys) == 4
    assert file_key("a", 1) in keys
    assert all(len(key) <= 128 for key in keys)


def test_the_same_file_imported_by_another_person_is_another_import() -> None:
    mine, yours = (ImportOptions(author, allow_free=False, override_guards=False) for author in ("amina", "juma"))
    assert mine.key_of(HEADER) == mine.key_of(HEADER) != yours.key_of(HEADER)


_identifiers = st.one_of(
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=64),
    st.text("=+-@'＝a ", min_size=1, max_size=6),
).filter(lambda text: identifier_problem(text) is None)


@given(
    level=st.sampled_from((pb.COST_LEVEL_SPECIFIC_CUSTOMER, pb.COST_LEVEL_APP_OWNER, pb.COST_LEVEL_DIRECT_CUSTOMER)),
    entity=_identifiers,
    price=st.integers(1, 1_000_000_000_000),
    instant=st.datetimes(datetime(2000, 1, 1), datetime(2100, 12, 31)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    reason=st.text(
        st.one_of(st.characters(exclude_categories=("Cc", "Cs")), st.sampled_from("\t\n\r")), min_size=1, max_size=100
    ).filter(lambda text: bool(text.strip())),
    author=_identifiers,
    guarded=st.booleans(),
    bom=st.booleans(),
)
def test_what_is_exported_is_read_back_exactly(  # noqa: PLR0917 - one value each
    level: pb.CostLevel.ValueType,
    entity: str,
    price: int,
    instant: datetime,
    reason: str,
    author: str,
    guarded: bool,
    bom: bool,
) -> None:
    cost = pb.Cost(
        level=level,
        customer_id=entity if level == pb.COST_LEVEL_SPECIFIC_CUSTOMER else None,
        app_id=entity if level == pb.COST_LEVEL_APP_OWNER else None,
        price_micros=price,
        effective_from=to_timestamp(instant),
        reason=reason,
        created_by=author,
    )
    file = StringIO(newline="")
    cost_writer(file, CsvStyle(guarded=guarded, bom=bom))([cost])
    assert file.getvalue().removeprefix("\ufeff").startswith(",".join(COLUMNS))
    rows = read_costs(file.getvalue(), guarded=guarded)
    (request,) = ImportOptions("nobody", allow_free=False, override_guards=False).part(rows).rows
    assert (request.level, request.customer_id, request.app_id) == (cost.level, cost.customer_id, cost.app_id)
    assert (request.price_micros, request.effective_from) == (cost.price_micros, cost.effective_from)
    assert (request.reason, request.created_by) == (reason, author)


def test_a_reason_may_end_its_lines_in_any_way() -> None:
    file = StringIO(newline="")
    write = cost_writer(file)
    reasons = ["a\rb", "a\r\nb", "a\nb"]
    for day, reason in enumerate(reasons, start=1):
        since = to_timestamp(datetime(2026, 1, day, tzinfo=UTC))
        cost = pb.Cost(level=pb.COST_LEVEL_DIRECT_CUSTOMER, price_micros=1, effective_from=since, reason=reason)
        write([cost])
    assert [row.reason for row in read_costs(file.getvalue())] == reasons


def change(before: str | None, after: str) -> Change:
    (row,) = read(AMINA.replace("0.6", after), allow_free=True)
    return Change(row, pb.IMPORT_EFFECT_CHANGED, None if before is None else Decimal(before), ("RELATIVE_CHANGE",))


def test_changes_are_ordered_by_how_far_they_go_in_either_direction() -> None:
    assert change("1", "2").relative == change("2", "1").relative == 2
    assert change(None, "2").relative == 0
    assert change("0", "2").relative == Decimal("Infinity")
    assert change("0", "0").relative == 1


def test_a_change_is_told_to_programs_exactly() -> None:
    assert change("0.5", "0.6").record() == {
        "line": 2,
        "level": "SpecificCustomer",
        "customerId": "amina",
        "appId": None,
        "effectiveFrom": "2026-01-01T00:00:00Z",
        "effect": "changed",
        "priceBefore": "0.5",
        "price": "0.6",
        "guards": ["RELATIVE_CHANGE"],
    }
    assert micros(Decimal("0.6")) == 600_000
