"""The process in which apprise runs: one line of JSON asks, one line answers.

`python -m messaging_service.notices.channels.child`. The first line is its configuration: it holds the password of
the mail relay, so it is neither an argument nor in the environment, which others on the machine may read. See
children.py for who starts it and ends it.
"""

from __future__ import annotations

import json
import logging
import mimetypes
import os
import resource
import sys
from collections.abc import Mapping
from typing import IO, Any, Final

from messaging_service.notices.channels.apprise_caller import AppriseCaller, Rules
from messaging_service.notices.channels.guard import Guard

MEMORY_BYTES: Final = 1 << 30
"""Of address space. An answer without end ends the child and not the machine."""
OPEN_FILES: Final = 64


def main() -> None:
    """Answers until standard input ends."""
    questions, answers = _take_pipes()
    logging.disable(logging.CRITICAL)
    mimetypes.init()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    rules = Rules.of(json.loads(questions.readline()))
    guard = Guard(rules.networks)
    caller = AppriseCaller(rules, guard)
    guard.install()
    _write(answers, {"ready": True})
    for line in questions:
        _write(answers, caller.answer(json.loads(line)))


def _take_pipes() -> tuple[IO[str], IO[str]]:
    """Standard input and output, of which libraries get none: what one prints must not be taken for an answer."""
    questions, answers = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    return questions, answers


def _write(answers: IO[str], answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(0)
