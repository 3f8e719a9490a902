"""What `up` prints: one line for each thing that happens, coloured on a terminal only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from sms_cli.failures import CommandError
from sms_cli.supervisor import exit_text


class _Terminal(Console):
    """A terminal that may go away: what is printed from then on is lost, and nothing else happens."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - as in the base class
        """Prints, if anybody is there to see it."""
        try:
            super().print(*objects, **options)
        except OSError:
            # A closed terminal, where a closed pipe would be told by the method below.
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Goes quiet, instead of ending the process: the parts are still to be stopped in order."""
        self.quiet = True
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - not a file of ours
            os.dup2(nowhere.fileno(), self.file.fileno())


out = _Terminal(highlight=False, soft_wrap=True)
err = _Terminal(stderr=True, highlight=False, soft_wrap=True)


def print_failure(error: CommandError) -> None:
    """What went wrong and what to do, on standard error."""
    err.print(f"[bold red]error:[/] {escape(str(error))}")
    for line in error.remedy.splitlines():
        err.print(f"  [bold]->[/] {escape(line)}")


class StatusLines:
    """Tells a person at the terminal how the system does."""

    def ready(self, part: str, detail: str, seconds: float) -> None:
        """A part does its work now."""
        out.print(f"  [green]ready[/]  [bold]{part:<10}[/] {escape(detail)}  [dim]({seconds:.1f} s)[/]")

    def died(self, part: str, exit_code: int, last_words: Sequence[str], delay_s: float) -> None:
        """A part ended by itself."""
        how = exit_text(exit_code)
        out.print(f"  [red]died[/]   [bold]{part:<10}[/] {how}; starts again in {delay_s:.1f} s; its log ends:")
        for line in last_words:
            out.print(f"         [dim]|[/] {escape(line)}")

    def back(self, part: str) -> None:
        """A part that died is ready again."""
        out.print(f"  [green]back[/]   [bold]{part:<10}[/] ready again")

    def stopping(self, part: str) -> None:
        """A part is being stopped."""
        out.print(f"  stop   [bold]{part}[/]")


def cell(value: object) -> str:
    """A value in a table; nothing for None."""
    return "" if value is None else escape(str(value))


def print_record(record: Mapping[str, object]) -> None:
    """Names and values below one another, without the values that are None."""
    width = max(map(len, record), default=0)
    for name, value in record.items():
        if value is not None:
            out.print(f"[bold]{name:<{width}}[/]  {cell(value)}")


def print_json(document: object) -> None:
    """The document as JSON, without colours or line breaks of our own."""
    print(json.dumps(document, indent=2, ensure_ascii=False))  # noqa: T201 - for programs
