"""`tukupay-sms up`: everything on this machine, until it is asked to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping

from service_kit.access.requirement import Access
from service_kit.settings import load
from sms_cli.local.descriptors import allow_descriptors
from sms_cli.local.dev_certificates import create_certificates, tls_variables
from sms_cli.local.first_sms import next_steps
from sms_cli.local.free_addresses import check_free
from sms_cli.local.home import Home
from sms_cli.local.orphans import OrphanReaper, inherits_orphans
from sms_cli.local.status_lines import StatusLines
from sms_cli.local.supervisor import Supervisor
from sms_cli.local.system import START_ORDER, System
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import (
    DATABASE_VARIABLES,
    RUNNING_FILE,
    TLS_VARIABLES,
    LocalSettings,
    UpSettings,
    with_database_urls,
    write_running_file,
)
from sms_cli.shared.terminal import out, print_failure

TLS_DAYS = 90
"""How long the certificates are valid that `up` makes at each start."""


def up(environ: Mapping[str, str] = os.environ, *, tls: bool = False) -> int:
    """Runs the system in the foreground and gives the exit code: 0 when it was asked to stop.

    `tls`: all parts speak TLS, with certificates of their own in the home. Raises SettingsError or CommandError when it
    cannot start.
    """
    settings, environ = load(UpSettings, environ), with_database_urls(environ)
    allow_descriptors()
    home = Home(settings.home)
    with home.held():
        check_free(settings.listening())
        home.rotate_logs()
        if tls:
            create_certificates(home.tls, (), TLS_DAYS)
            environ = {**environ, **tls_variables(home.tls)}
            settings = load(UpSettings, environ)
        return asyncio.run(_run(settings, home, environ))


async def _run(settings: LocalSettings, home: Home, environ: Mapping[str, str]) -> int:
    lines = StatusLines()
    supervisor = Supervisor(lines, START_ORDER)
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            supervisor.kill_all()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup the hang-up stays ignored, so that the system outlives the terminal.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, on_signal)
    reaping = asyncio.create_task(OrphanReaper(supervisor.pids).run()) if inherits_orphans() else None
    out.print(f"TukuPay SMS starts; its data and logs are in {home.folder}")
    running_file = home.folder / RUNNING_FILE
    try:
        system = System(settings, home, environ, supervisor, lines)
        variables = (*settings.listening(), *DATABASE_VARIABLES.values(), *TLS_VARIABLES)
        known = {name: system.environment[name] for name in variables if name in system.environment}
        write_running_file(running_file, known)
        needs_key = system.environment.get("GATEWAY_ACCESS") == Access.REQUIRED
        steps = next_steps(settings, home, needs_key=needs_key)
        return await _until_the_end(system, supervisor, stopping, steps)
    finally:
        await supervisor.stop_all()
        if reaping is not None:
            reaping.cancel()
        running_file.unlink(missing_ok=True)
        out.print("TukuPay SMS has stopped; the data stays.")


async def _until_the_end(system: System, supervisor: Supervisor, stopping: asyncio.Event, what_next: str) -> int:
    """Starts the system and waits for a signal (0) or for a part that cannot be kept alive (1)."""
    failed = asyncio.create_task(supervisor.failed())
    stopped = asyncio.create_task(stopping.wait())
    started = asyncio.create_task(system.start())
    try:
        await asyncio.wait({started, failed, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if started.done() and not failed.done() and not stopped.done():
            started.result()
            out.print(f"\n{what_next}\n", markup=False)
            await asyncio.wait({failed, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return 0
        print_failure(failed.result())
    except CommandError as error:
        print_failure(error)
    finally:
        for task in (failed, stopped, started):
            task.cancel()
        await asyncio.gather(failed, stopped, started, return_exceptions=True)
    return 1
