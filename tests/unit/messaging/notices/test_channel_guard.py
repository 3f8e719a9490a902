"""The guard of channels in a process of its own: whichever library connects, it gets to public addresses only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.messaging.notices.test_webhook_targets import CORPUS, MALFORMED, NAMES

PROGRAM = Path(__file__).with_name("guarded_program.py")
WELL_FORMED = [url for url in CORPUS if url not in MALFORMED]
HARMLESS = {"read itself": "done", "import": "done", "connect outward": "passed"}


def run(folder: Path, urls: list[str], names: dict[str, list[list[str]]], allowed: list[str]) -> Any:
    question = {"urls": urls, "names": names, "allowed": allowed, "folder": str(folder)}
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "link").symlink_to("/etc/passwd")
    names = {name: [addresses] for name, addresses in NAMES.items()}
    names["rebinding.example"] = [["93.184.215.14"], ["127.0.0.1"]]
    twice = ["http://rebinding.example/first", "http://rebinding.example/second"]
    return run(folder, [*WELL_FORMED, *twice], names, [])


def test_no_url_of_the_corpus_leads_inward(seen: Any) -> None:
    assert len(WELL_FORMED) >= 75
    for url in WELL_FORMED:
        # Of two addresses the public one may be tried; the one in a private network is not.
        assert seen["urls"][url] == ("both" if "half" in url else "refused"), url
    assert {host for host, *_ in seen["passed"]} == {"93.184.215.14"}


def test_a_name_that_leads_inward_a_moment_later_is_refused_then(seen: Any) -> None:
    assert seen["urls"]["http://rebinding.example/first"] == "passed"
    assert seen["urls"]["http://rebinding.example/second"] == "refused"


def test_nothing_but_connecting_outward_and_reading_itself_is_allowed(seen: Any) -> None:
    assert len(seen["deeds"]) > 20
    assert seen["deeds"] == {name: HARMLESS.get(name, "refused") for name in seen["deeds"]}


def test_for_mail_there_is_the_relay_and_nothing_else(seen: Any) -> None:
    assert seen["only"] == {
        "127.0.0.1:25": "passed",
        "127.0.0.1:26": "refused",
        "127.0.0.2:25": "refused",
        "93.184.215.14:25": "refused",
    }


def test_an_operator_may_open_a_network(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    seen = run(tmp_path, ["http://10.1.2.3/", "http://10.2.0.1/"], {}, ["10.1.0.0/16"])
    assert seen["urls"] == {"http://10.1.2.3/": "passed", "http://10.2.0.1/": "refused"}
    assert [host for host, *_ in seen["passed"]] == ["10.1.2.3"]
