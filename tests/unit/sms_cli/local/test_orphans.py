"""Zombies that nobody waits for are reaped, and nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

from sms_cli.local.orphans import OrphanReaper, inherits_orphans
from tests.system.waiting import until

# A process of its own, as only that may become the heir of orphans: this one has children of other tests.
INHERITING = """
    import ctypes, os, subprocess, sys
    from sms_cli.local.orphans import OrphanReaper, inherits_orphans
    from tests.system.waiting import until

    def state(pid):
        try:
            return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return "gone"

    assert not inherits_orphans()
    assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
    assert inherits_orphans()
    own = subprocess.Popen(["true"])
    orphan = int(subprocess.run(["sh", "-c", "sleep 0.01 & echo $!"], capture_output=True, text=True).stdout)
    until("both are zombies", lambda: state(own.pid) == state(orphan) == "Z")
    reaper = OrphanReaper(lambda: [own.pid])
    reaper.look()
    assert (state(own.pid), state(orphan)) == ("Z", "Z")
    reaper.look()
    assert (state(own.pid), state(orphan)) == ("Z", "gone")
    assert own.wait() == 0
"""


def test_an_orphan_is_reaped_at_the_second_look_and_an_own_child_never() -> None:
    subprocess.run([sys.executable, "-c", textwrap.dedent(INHERITING)], check=True, timeout=60)


def test_an_ordinary_process_inherits_none_and_leaves_children_that_run_alone() -> None:
    assert not inherits_orphans()
    with subprocess.Popen(["sleep", "60"]) as child:
        reaper = OrphanReaper(list)
        reaper.look()
        reaper.look()
        assert child.poll() is None
        child.send_signal(signal.SIGKILL)
        until("it is a zombie", lambda: os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT) is not None)
