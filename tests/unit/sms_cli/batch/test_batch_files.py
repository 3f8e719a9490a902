"""Files of recipients: which messages they stand for, and everything that is wrong with them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from messaging_service.shared.domain.states import Priority
from sms_cli.batch.batch_files import BatchRow, Campaign, RowProblem, campaign_name, read_rows, unused_columns
from sms_cli.batch.templates import parse_template

PHONE = "+254712345678"


def campaign(
    text: str = "Hello {name}", *, recipient_column: str = "recipient", tags: tuple[str, ...] = ()
) -> Campaign:
    return Campaign("july", parse_template(text), "user1", "TUKUPAY", Priority.HIGH, "notice", tags, recipient_column)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recipients.csv"


def rows(file: Path, content: str | bytes, made: Campaign | None = None) -> list[BatchRow]:
    found = everything(file, content, made)
    assert all(isinstance(row, BatchRow) for row in found), found
    return [row for row in found if isinstance(row, BatchRow)]


def problems(file: Path, content: str | bytes, made: Campaign | None = None) -> list[str]:
    return [str(row) for row in everything(file, content, made) if isinstance(row, RowProblem)]


def everything(file: Path, content: str | bytes, made: Campaign | None) -> list[BatchRow | RowProblem]:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(file, made or campaign()))


def test_a_line_is_a_message_with_what_the_campaign_says(file: Path) -> None:
    [row] = rows(file, f"recipient,name\n{PHONE},Amina\n", campaign(tags=("all",)))
    assert row.line == 2
    draft = row.draft
    assert (draft.user_id, draft.recipient_phone_number, draft.message) == ("user1", PHONE, "Hello Amina")
    assert (draft.sender_id, draft.message_name, draft.priority) == ("TUKUPAY", "notice", Priority.HIGH)
    assert (draft.message_id, draft.scheduled_time, draft.tags) == ("july:2", None, ("all",))


def test_a_line_may_have_a_sender_a_time_an_id_and_tags_of_its_own(file: Path) -> None:
    header = "name,sender,scheduled,messageId,tags,recipient"
    first, second = rows(
        file,
        f"{header}\nAmina,20880,2026-01-31T11:00:00+03:00,order-7,a; b;,{PHONE}\nJuma,,,,,{PHONE}\n",
        campaign(tags=("all",)),
    )
    assert (first.draft.sender_id, first.draft.message_id) == ("20880", "order-7")
    assert first.draft.scheduled_time == datetime(2026, 1, 31, 8, tzinfo=UTC)
    assert first.draft.tags == ("all", "a", "b")
    assert (second.draft.sender_id, second.draft.message_id, second.draft.tags) == ("TUKUPAY", "july:3", ("all",))


def test_a_line_may_say_until_when_it_is_wanted_and_the_others_have_that_of_the_campaign(file: Path) -> None:
    noon, night = datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 1, 31, 22, tzinfo=UTC)
    content = f"recipient,name,expires\n{PHONE},a,2026-01-31T12:00:00Z\n{PHONE},b,\n"
    assert [row.draft.expires_time for row in rows(file, content)] == [noon, None]
    common = replace(campaign(), expires=night)
    assert [row.draft.expires_time for row in rows(file, content, common)] == [noon, night]


def test_a_spreadsheet_file_is_read_as_it_comes(file: Path) -> None:
    content = f'\ufeffphone , name\r\n {PHONE} ,"Amina ""A"", Mrs"\r\n\r\n,\r\n{PHONE},"two\r\nlines"\r\n{PHONE},Juma'
    found = rows(file, content, campaign(recipient_column="phone"))
    assert [(row.line, row.draft.message) for row in found] == [
        (2, 'Hello Amina "A", Mrs'),
        (5, "Hello two\r\nlines"),
        (7, "Hello Juma"),
    ]
    assert {row.draft.recipient_phone_number for row in found} == {PHONE}


def test_every_column_may_be_a_placeholder(file: Path) -> None:
    [row] = rows(file, f"recipient,tags\n{PHONE},gold\n", campaign("{tags} {recipient}"))
    assert row.draft.message == f"gold {PHONE}"


def test_every_line_at_fault_is_named_with_its_column(file: Path) -> None:
    content = f"recipient,name,scheduled\n{PHONE},,tomorrow\n{PHONE},Amina,2026-01-31T08:00:00\n{PHONE},a,,d\n"
    assert problems(file, content, campaign("{name} {name}")) == [
        "line 2: column name is empty, and the text needs it",
        "line 2: column scheduled: 'tomorrow' is not a time such as 2026-01-31T08:00:00Z",
        "line 3: column scheduled: '2026-01-31T08:00:00' has no offset from UTC; write 2026-01-31T08:00:00Z, or end it "
        "with +03:00 for Nairobi",
        "line 4: has 4 values for 3 columns; put quotes around values with commas",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "line 1: the column recipient is missing; the columns are none"),
        ("phone,name\n", "line 1: the column recipient is missing; the columns are phone, name: name one of them"),
        ("recipient,nmae\n", "line 1: the text names {name}, which is no column; the columns are recipient, nmae"),
        ("recipient,name,name\n", "line 1: the column name is there twice; rename one of them"),
        (f'recipient,name\n{PHONE},a\n{PHONE},"b\n', "line 3: is not CSV: a quote is never closed"),
        (f"recipient,name\n{PHONE},a\n".encode() + b"\xff,b\n", "line 3: is not UTF-8 text; save it as CSV UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(file: Path, content: str | bytes, problem: str) -> None:
    [found] = problems(file, content)
    assert problem in found


def test_columns_that_mean_nothing_are_told(file: Path) -> None:
    rows(file, f"recipient,name,schedule,tags\n{PHONE},a,,\n")
    assert unused_columns(file, campaign()) == ["schedule"]


def test_the_same_file_and_text_are_one_campaign_and_any_change_is_another(file: Path) -> None:
    names = []
    for content, text in (("a\n", "x"), ("a\n", "x"), ("a \n", "x"), ("a\n", "x "), ("", "xa\n")):
        file.write_text(content)
        names.append(campaign_name(file, text))
    assert names[0] == names[1]
    assert len(set(names)) == 4
    assert all(len(f"{name}:100000000") <= 128 for name in names)


def test_a_file_of_a_spreadsheet_with_semicolons_and_its_own_spelling_is_read(file: Path) -> None:
    content = f"sep=;\nRecipient;Name;MessageID;Tags\n'{PHONE};Amina;m1;a\n"
    [row] = rows(file, content, campaign("Hello {Name} {Recipient}"))
    assert (row.line, row.draft.recipient_phone_number, row.draft.message_id) == (3, PHONE, "m1")
    assert (row.draft.message, row.draft.tags) == (f"Hello Amina {PHONE}", ("a",))
    assert unused_columns(file, campaign("Hello {Name}")) == []


@pytest.mark.parametrize(
    "number",
    [
        "0712345678", "712345678", "254712345678", "+254712345678", "'+254712345678", "+254 712 345 678",
        "0712-345-678", "(0712) 345678", "0712\u00a0345\u00a0678", "\u202a+254712345678\u202c", "00254712345678",
    ],
)  # fmt: skip
def test_numbers_of_a_country_are_read_as_people_write_them(file: Path, number: str) -> None:
    made = replace(campaign(), country="KE")
    [row] = rows(file, f"recipient,name\n{number},Amina\n", made)
    assert row.draft.recipient_phone_number == PHONE


@pytest.mark.parametrize(
    "number", ["07123", "2.54712E+11", "254712345678.0", "0712345678 ext 5", "071234567a", "+14155550123"]
)
def test_what_is_no_number_of_the_country_stays_as_it_is_for_the_check(file: Path, number: str) -> None:
    [row] = rows(file, f"recipient,name\n{number},Amina\n", replace(campaign(), country="KE"))
    assert row.draft.recipient_phone_number == number


def test_without_a_country_a_number_stays_as_it_is(file: Path) -> None:
    [row] = rows(file, "recipient,name\n0712345678,Amina\n")
    assert row.draft.recipient_phone_number == "0712345678"


def test_a_long_file_is_never_held_as_a_whole(file: Path) -> None:
    with file.open("w") as writing:
        writing.write("recipient,name\n")
        writing.writelines(f"{PHONE},Customer {number}\n" for number in range(5_000))
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_rows(file, campaign()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 5_000
    assert peak < 300_000
