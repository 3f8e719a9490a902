"""Standard input, output and error of a process that was started without some of them (`>&-`)."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Leads each missing one to nowhere; to be called before the process opens anything else.

    Otherwise the first socket or file would get its number, and whatever is printed, here or in a child, would go
    there.
    """
    # From 0 up: the lowest free number is the one that is taken.
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for good
