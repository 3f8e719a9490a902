"""What `up` prints: one line for each thing that happens, coloured on a terminal only."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape

from sms_cli.local.supervisor import exit_text
from sms_cli.shared.terminal import out


class StatusLines:
    """Prints how the system is doing."""

    def ready(self, part: str, detail: str, seconds: float) -> None:
        """Prints that a part is ready."""
        out.print(f"  [green]ready[/]  [bold]{part:<10}[/] {escape(detail)}  [dim]({seconds:.1f} s)[/]")

    def died(self, part: str, exit_code: int, last_words: Sequence[str], delay_s: float) -> None:
        """Prints that a part ended by itself, and when it starts again."""
        how = exit_text(exit_code)
        out.print(f"  [red]died[/]   [bold]{part:<10}[/] {how}; starts again in {delay_s:.1f} s; its log ends:")
        for line in last_words:
            out.print(f"         [dim]|[/] {escape(line)}")

    def back(self, part: str) -> None:
        """Prints that a part that had died is ready again."""
        out.print(f"  [green]back[/]   [bold]{part:<10}[/] ready again")

    def stopping(self, part: str) -> None:
        """Prints that a part is being stopped."""
        out.print(f"  stop   [bold]{part}[/]")
