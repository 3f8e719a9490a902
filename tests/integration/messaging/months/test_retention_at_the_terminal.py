"""`tukupay-sms retention` and `python -m messaging_service.retention`, on a database of their own."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from messaging_service import retention
from messaging_service.wiring.migrate import migrate
from service_kit.postgres.partitions import partitions
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.system.forked_commands import forked_commands


def test_months_are_shown_with_what_keeps_them_and_those_that_may_go_are_removed(
    fresh_database: FreshDatabase,
    database_template: DatabaseTemplate,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = fresh_database(template=database_template("messaging_template", migrate))
    with psycopg.connect(url, autocommit=True) as connection:
        (first, *_) = partitions(connection, "message")
        # As if it had ended long ago.
        connection.execute(f"DROP TABLE {first.name}".encode())
        connection.execute(
            b"CREATE TABLE message_before_2020_02 PARTITION OF message "
            b"FOR VALUES FROM (MINVALUE) TO ('016ffe73-e800-7000-8000-000000000000')"
        )
    environment = {"TUKUPAY_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "MESSAGING_DATABASE_URL": url}
    kept = forked_commands().run(["retention", "plan", "--json"], environment)
    assert kept.returncode == 0, kept.stderr
    assert [each["obstacles"] for each in json.loads(kept.stdout)] == [["all months are kept"]]

    assert retention.main(["plan", "--keep-months", "13"], {"MESSAGING_DATABASE_URL": url}) == 0
    assert capsys.readouterr().out.startswith("message_before_2020_02 (ends before 2020-02-01,")
    assert retention.main(["remove"], {"MESSAGING_DATABASE_URL": url}) == 0
    assert capsys.readouterr().out == ""

    keeping = {**environment, "SMS_MESSAGE_RETENTION_MONTHS": "13"}
    gone = forked_commands().run(["retention", "remove", "--by", "amina"], keeping)
    assert (gone.returncode, gone.stdout.split(":")[0]) == (0, "message_before_2020_02"), gone.stderr
    again = forked_commands().run(["retention", "remove"], keeping)
    assert "nothing may go" in again.stdout
