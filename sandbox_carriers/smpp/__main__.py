"""The sandbox as a process: `python -m sandbox_carriers.smpp`."""

from __future__ import annotations

import asyncio

from sandbox_carriers.smpp.sandbox_carrier import SandboxCarrier
from sandbox_carriers.smpp.sandbox_settings import SandboxSettings
from service_kit.process import run_service


async def serve(settings: SandboxSettings, stopping: asyncio.Event) -> None:
    """Plays the operator until it is told to stop."""
    sandbox = SandboxCarrier(settings)
    await sandbox.start()
    try:
        await stopping.wait()
    finally:
        await sandbox.stop()


def main() -> None:
    """Runs the process."""
    run_service("sandbox", SandboxSettings, serve)


if __name__ == "__main__":
    main()
