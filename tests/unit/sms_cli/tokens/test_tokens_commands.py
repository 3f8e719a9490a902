"""`tukupay-sms tokens create`: what it prints lets its caller in."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from service_kit.access.identities import read_identities
from service_kit.access.principal import Principal, PrincipalKind
from tests.system.forked_commands import forked_commands


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"TUKUPAY_HOME": str(home), "PATH": "/usr/bin:/bin"}
    return forked_commands().run(["tokens", "create", *arguments], environment)


def test_a_token_is_printed_with_the_entry_that_lets_it_in(tmp_path: Path) -> None:
    outcome = run(tmp_path, "jane")
    assert outcome.returncode == 0, outcome.stderr
    token, _, entry = outcome.stdout.partition("\n\n")
    jane = Principal("operator:jane", PrincipalKind.OPERATOR, None, frozenset({"*"}))
    assert read_identities(entry).of_token(token) == jane
    assert token not in entry


def test_an_entry_says_what_was_asked_for(tmp_path: Path) -> None:
    options = ("--kind", "workload", "--scope", "sms:send", "--scope", "sms:read", "--account", 'a "b"', "--json")
    made = json.loads(run(tmp_path, "till", *options).stdout)
    scopes, accounts = frozenset({"sms:send", "sms:read"}), frozenset({'a "b"'})
    till = Principal("workload:till", PrincipalKind.WORKLOAD, accounts, scopes)
    assert read_identities(made["entry"]).of_token(made["token"]) == till


def test_what_a_service_would_refuse_is_refused_here(tmp_path: Path) -> None:
    outcome = run(tmp_path, "jane", "--scope", "sms:sent")
    assert outcome.returncode != 0
    assert "'sms:sent', which are no scopes" in outcome.stderr
    assert outcome.stdout == ""
