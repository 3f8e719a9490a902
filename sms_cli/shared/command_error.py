"""Failures that a person at the terminal can act on."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot go on; holds what went wrong and, in `remedy`, what to do next.

    `reason` is the reason of the service that refused, to branch on; None when no service refused anything.
    `request_id` is the id under which the services logged the call; None when none did.
    """

    def __init__(
        self,
        message: str,
        remedy: str,
        exit_code: int = 1,
        reason: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.exit_code = exit_code
        self.reason = reason
        self.request_id = request_id
