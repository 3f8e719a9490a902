"""Tasks that must go on for as long as their process: when one ends, so does the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

DUTY: Final = "duty"
"""The key under which the loop's exception handler finds the name of a duty that ended."""

Handler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


class DutyEndedError(Exception):
    """A duty ended that should go on for ever."""


def keep_running(name: str, work: Coroutine[Any, Any, Any], *, may_end: bool = False) -> asyncio.Task[Any]:
    """Runs a duty. When it fails, or ends without `may_end`, the loop's exception handler is called.

    Cancelling the task ends it in good order.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)

    def ended(_: asyncio.Task[Any]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None and may_end:
            return
        task.get_loop().call_exception_handler(
            {
                "message": f"the duty {name} ended, and the process with it",
                "exception": error or DutyEndedError(f"{name} ended without an error"),
                DUTY: name,
            }
        )

    task.add_done_callback(ended)
    return task


def on_ended_duty(loop: asyncio.AbstractEventLoop, notify: Callable[[str, BaseException], None]) -> None:
    """Calls `notify` with the name of each duty that ends, and with what ended it; all else is handled as before."""
    before: Handler | None = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if DUTY in context:
            notify(context[DUTY], context["exception"])
        elif before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
