"""What README and the guides print is run in turn on one system, as a reader would who follows them from the top."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from gateway_http.sms.sms_operations import SEND_SMS, SEND_SMS_BATCH
from sms_cli.local.first_sms import curl_of_first_sms
from tests.acceptance.local_system import LocalSystem, free_addresses
from tests.acceptance.printed_commands import ROOT, Printed, commands, files
from tests.system.forked_commands import forked_commands

pytestmark = pytest.mark.timeout(240)

GUIDES = ROOT / "docs" / "guides"
RUNBOOKS = ROOT / "docs" / "runbooks"
GUIDE_PAGES = [ROOT / "README.md", *sorted(GUIDES.glob("*.md"))]
DOCUMENTS = [*GUIDE_PAGES, *sorted(RUNBOOKS.glob("*.md"))]
PORTS = {
    "50051": "PRICING_GRPC_ADDRESS",
    "50052": "MESSAGING_GRPC_ADDRESS",
    "8080": "GATEWAY_HTTP_ADDRESS",
    "9151": "PRICING_METRICS_ADDRESS",
    "9152": "MESSAGING_METRICS_ADDRESS",
    "9153": "GATEWAY_METRICS_ADDRESS",
    "8090": "SANDBOX_HTTP_ADDRESS",
}
_ID = re.compile(
    r"\b(outbox|alert|channel|webhook|delivery|suppression)_[0-9a-f]{32}\b|\b(tk_live|tk_test)_[0-9A-Za-z]{8}\b"
)

NOT_RUN = {
    r"git clone|make |pip install|^export ": "sets the machine up",
    r" &$": "goes on in the background",
    r"^cat |^head ": "shows a file",
    r"^kubectl |^helm ": "needs a cluster; what helm renders has tests of its own in tests/unit/deploy",
    r"--cacert|tls\.env": "needs a system over TLS; test_up_over_tls.py has one",
    r"serve messaging|africastalking|8091|AFRICASTALKING": "a system of its own; the sandbox has a test of its own",
    r"carriers pause airtel": "the text says to give the name of a carrier that there is",
    r"audit verify --anchor": "needs an anchor of the reader's own",
    r"migrate messaging --grant": "needs a role, which the text says to make",
    r"alerts channels": "needs a relay or the internet, as the text says",
    r"webhooks": "needs a name that resolves, as the text says",
    r"alerts ack": "needs an alert, which an account that pays later never gets",
    r"^tukupay-sms watch --user": "goes on until Ctrl-C",
    r"import (prices|bad|unusual|back-from-excel)\.csv": "needs a file of the reader's own",
    r"send-batch bad\.csv|rehearse|reconcile": "needs a file of the reader's own",
}
EXIT_CODES = {
    r"send-batch recipients.csv.* --yes": 1,  # one recipient is refused, as printed
    r"suppressions import old.csv": 1,  # one line is refused, as printed
}


def to_run() -> list[Printed]:
    every = [command for document in DOCUMENTS for command in commands(document)]
    return [command for command in every if not any(re.search(pattern, command.text) for pattern in NOT_RUN)]


def test_no_reason_not_to_run_a_command_outlives_it() -> None:
    every = [command.text for document in DOCUMENTS for command in commands(document)]
    assert [pattern for pattern in NOT_RUN if not any(re.search(pattern, text) for text in every)] == []
    run = [command.text for command in to_run()]
    assert [pattern for pattern in EXIT_CODES if not any(re.search(pattern, text) for text in run)] == []
    assert len(run) >= 25


def test_every_guide_that_prints_commands_says_where_they_are_found() -> None:
    told = 'export PATH="$PWD/.venv/bin:$PATH"'
    bare = [
        document.name
        for document in (*GUIDE_PAGES, RUNBOOKS / "README.md")
        if any(re.match(r"tukupay-sms|python ", command.text) for command in commands(document))
        and told not in document.read_text("utf-8")
    ]
    assert bare == []


def shell(text: str, environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    made = LocalSystem(tmp_path_factory.mktemp("printed") / "home", free_addresses())
    try:
        made.up()
        yield made
    finally:
        made.clean_up()


def test_the_printed_commands_work_in_turn(running: LocalSystem, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for document in DOCUMENTS:
        for name, text in files(document).items():
            (tmp_path / name).write_text(text)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TUKUPAY_HOME": str(running.home),
        "COLUMNS": "100",
        "MESSAGING_GRPC_ADDRESS": running.addresses["MESSAGING_GRPC_ADDRESS"],
        "NO_PROXY": "127.0.0.1",
    }
    latest: dict[str, str] = {}
    failures: list[str] = []

    def known(match: re.Match[str]) -> str:
        """An id of this system in the place of a printed one."""
        return latest.get(match[match.lastindex or 0], match[0])

    for command in to_run():
        text = _ID.sub(known, command.text)
        for port, setting in PORTS.items():
            text = text.replace(f"127.0.0.1:{port}", running.addresses[setting])
        if text.startswith("tukupay-sms "):
            outcome = forked_commands().run(shlex.split(text)[1:], environment, tmp_path)
        else:
            outcome = shell(text, environment, tmp_path)
        code = next((code for pattern, code in EXIT_CODES.items() if re.search(pattern, text)), 0)
        # One curl is refused on purpose: there is no money left.
        is_refused = "curl" in text and "urn:tukupay:problem" in outcome.stdout and '"status":402' not in outcome.stdout
        if outcome.returncode != code or is_refused:
            failures.append(f"{command.document}: {text}\n-> {outcome.returncode}\n{outcome.stdout}{outcome.stderr}")
        latest |= {match[match.lastindex or 0]: match[0] for match in _ID.finditer(outcome.stdout)}
    assert "\n\n".join(failures) == ""


def test_requests_that_are_printed_anywhere_never_stand_in_one_anothers_way(running: LocalSystem) -> None:
    """What README, the guides, `make up` and `/docs` send by an id of their own is recorded, each as its own."""
    bodies = [
        json.loads(match[1])
        for command in (
            *(command.text for document in DOCUMENTS for command in commands(document)),
            curl_of_first_sms("http://127.0.0.1:8080"),
        )
        if "/api/sms/send " in command and (match := re.search(r"'(\{.*\})'", command, re.DOTALL))
    ]
    bodies += SEND_SMS.body_examples.values()
    bodies += [sms for body in SEND_SMS_BATCH.body_examples.values() for sms in body["messages"]]
    assert len(bodies) > 6
    address = running.addresses["GATEWAY_HTTP_ADDRESS"]
    with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=20) as client:
        answers = [client.post("/api/sms/send", json=body) for body in bodies]
    assert [answer.text for answer in answers if answer.status_code == 409] == []


def test_what_up_prints_works_as_printed(running: LocalSystem) -> None:
    printed = "".join(running.output)
    lines = re.findall(r"^  (\S*tukupay-sms (?:phone|status).*?)  ", printed, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        environment = {"PATH": os.environ["PATH"], "TUKUPAY_HOME": str(running.home)}
        outcome = shell(line, environment, Path.cwd())
        assert outcome.returncode == 0, (line, outcome.stderr)
