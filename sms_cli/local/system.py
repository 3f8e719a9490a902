"""The parts of a local system, their settings, and the order in which they start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

from service_kit.settings import Address
from sms_cli.local.example_costs import seed_example_costs
from sms_cli.local.home import Home
from sms_cli.local.local_parts import Database, Service, module_command
from sms_cli.local.migrate_databases import load_migrations, migrate_database
from sms_cli.local.probes import Health, grpc_health, http_health
from sms_cli.local.supervisor import Supervisor
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import DATABASE_VARIABLES, DIRECT_VARIABLES, LocalSettings

READY_S = 60.0
START_ORDER = ("postgres", "pricing", "sandbox", "messaging", "gateway")
"""Each part needs only parts before it."""


class Progress(Protocol):
    """Where the progress of the start is reported."""

    def ready(self, part: str, detail: str, seconds: float) -> None:
        """A part is ready, `seconds` after the start of everything."""


def service_environment(
    settings: LocalSettings, environ: Mapping[str, str], database_url: Callable[[str], str]
) -> dict[str, str]:
    """The environment of all child processes: the caller's variables, and ours where the caller set none."""
    ours = {
        **{name: str(address) for name, address in settings.listening().items()},
        **{variable: database_url(service) for service, variable in DATABASE_VARIABLES.items()},
        "MESSAGING_PRICING_ADDRESS": str(settings.pricing),
        "GATEWAY_PRICING_ADDRESS": str(settings.pricing),
        "GATEWAY_MESSAGING_ADDRESS": str(settings.messaging),
    }
    if not environ.get("MESSAGING_CARRIERS_FILE"):
        ours |= {
            "SMPP_HOST": settings.sandbox_smpp.host,
            "SMPP_PORT": str(settings.sandbox_smpp.port),
            "SMPP_SYSTEM_ID": "tukupay",
            "SMPP_PASSWORD": "sandbox",
            "SMPP_WINDOW": "100",
            "SMPP_NAME": "sandbox",
        }
        if not environ.get("SMPP_HOST"):
            # Test keys may send: no phone gets what this carrier takes.
            ours["SMPP_SANDBOX"] = "true"
    given = {name: text for name, text in environ.items() if text}
    for service, variable in DATABASE_VARIABLES.items():
        if variable not in given:
            # It would lead to another database than ours.
            given.pop(DIRECT_VARIABLES[service], None)
    return {**ours, **given}


class System:
    """PostgreSQL (unless both databases are given), pricing, the sandbox carrier, messaging, the gateway."""

    def __init__(
        self,
        settings: LocalSettings,
        home: Home,
        environ: Mapping[str, str],
        supervisor: Supervisor,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._home = home
        self._supervisor = supervisor
        self._progress = progress
        self._begun = time.monotonic()
        self._database = Database(home)
        self._own_databases = [name for name, variable in DATABASE_VARIABLES.items() if not environ.get(variable)]
        self.environment = service_environment(settings, environ, self._database.server.url)

    async def start(self) -> None:
        """Starts everything, in parallel where it can; returns when the gateway takes messages.

        Raises CommandError when a part cannot be started or does not become ready.
        """
        settings = self._settings
        gateway = self._service("gateway", lambda: http_health(settings.gateway, "/readyz", settings.tls.files))
        sandbox = self._service("sandbox", lambda: http_health(settings.sandbox_http, "/stats"))
        # Both wait for what they need, and loading is most of their start.
        await self._supervisor.start(gateway)
        await self._supervisor.start(sandbox)
        try:
            async with asyncio.TaskGroup() as group:
                shown = f"SMPP {settings.sandbox_smpp}, page {page(settings.sandbox_http)}"
                group.create_task(self._wait_ready(sandbox, shown))
                group.create_task(self._start_on_databases())
        except BaseExceptionGroup as errors:
            known, unknown = errors.split(CommandError)
            if unknown is not None or known is None:
                raise
            raise _first(known) from None
        await self._wait_ready(gateway, f"{settings.gateway_url}/")

    async def _start_on_databases(self) -> None:
        """Starts PostgreSQL, then each service as soon as its own database is migrated."""
        loading = asyncio.create_task(asyncio.to_thread(load_migrations))
        if self._own_databases:
            await self._supervisor.start(self._database)
            for name in self._own_databases:
                await self._database.create(name)
            self._ready("postgres", f"data in {self._home.postgres_data}")
        await loading
        settings = self._settings
        probes = {"pricing": settings.pricing, "messaging": settings.messaging}
        async with asyncio.TaskGroup() as group:
            for name, address in probes.items():
                # One after the other, because the migration library cannot run twice in one process.
                await migrate_database(name, self.environment)
                probe = partial(grpc_health, address, settings.tls.files)
                service = self._service(name, probe)
                await self._supervisor.start(service)
                group.create_task(self._finish(service, address))

    async def _finish(self, service: Service, address: Address) -> None:
        await self._wait_ready(service, f"gRPC {address}")
        if service.name == "pricing":
            for line in await seed_example_costs(address):
                self._ready("costs", line)

    def _service(self, name: str, probe: Callable[[], Awaitable[Health]]) -> Service:
        return Service(
            name,
            command=module_command(name),
            environment=self.environment,
            log_file=self._home.log_of(name),
            probe=probe,
        )

    async def _wait_ready(self, service: Service, shown: str) -> None:
        await self._supervisor.wait_ready(service, READY_S)
        self._ready(service.name, shown)

    def _ready(self, part: str, detail: str) -> None:
        self._progress.ready(part, detail, time.monotonic() - self._begun)


def page(address: Address, path: str = "/") -> str:
    """The URL of a page."""
    return f"http://{address}{path}"


def _first(group: BaseExceptionGroup[CommandError]) -> CommandError:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")
